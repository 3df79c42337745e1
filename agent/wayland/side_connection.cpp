#include "agent/wayland/side_connection.h"

#include <wayland-client.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "agent/wayland/connected_display.h"

namespace compositord::agent {

namespace {

// As the driver's: one read takes at most what libwayland buffers, and a flood must not hold the loop.
constexpr int kReadsPerPumpMax = 16;

}  // namespace

// The C callback. `data` is the connection, which owns what calls it.
struct SideConnectionEvents {
  static void answered(void* data, wl_callback*, std::uint32_t) {
    auto& connection = *static_cast<SideConnection*>(data);
    connection.round_trip_.reset();
    ++connection.round_trips_;
  }
  static constexpr wl_callback_listener kRoundTrip{answered};
};

Result<std::unique_ptr<SideConnection>> SideConnection::open(const std::string& socket_path, const Peer& watched) {
  auto socket = connect_unix(socket_path);
  if (!socket) return tl::unexpected(socket.error());
  const auto peer = identify_peer(socket->get());
  if (!peer) return tl::unexpected(peer.error());
  if (peer->pid != watched.pid || peer->start_time_ticks != watched.start_time_ticks) {
    return fail(Status::kConflict,
                fmt::format("{}: process {} listens there by now, and not process {}, which is watched", socket_path,
                            peer->pid, watched.pid));
  }
  wl_display* display = wl_display_connect_to_fd(socket->get());
  if (display == nullptr) {
    return fail(Status::kFailed, fmt::format("{}: no Wayland client: {}", socket_path, std::strerror(errno)));
  }
  static_cast<void>(socket->release());  // the display closes it from now on
  return std::unique_ptr<SideConnection>(new SideConnection(display));
}

SideConnection::SideConnection(wl_display* display)
    : display_(display), registry_(std::make_unique<RegistryMirror>(display)) {}

void SideConnection::Disconnect::operator()(wl_display* display) const { wl_display_disconnect(display); }

void SideConnection::DestroyCallback::operator()(wl_callback* callback) const { wl_callback_destroy(callback); }

void SideConnection::poll_fds(std::vector<pollfd>& fds) const {
  const int events = flush_blocked_ ? POLLIN | POLLOUT : POLLIN;
  fds.push_back(pollfd{wl_display_get_fd(display_.get()), static_cast<short>(events), 0});
}

Result<void> SideConnection::pump() {
  wl_display* display = display_.get();
  for (int reads = 0; reads < kReadsPerPumpMax; ++reads) {
    while (wl_display_prepare_read(display) != 0) {
      if (wl_display_dispatch_pending(display) < 0) return broken();
    }
    // On a descriptor without data this returns 0 at once: libwayland reads with MSG_DONTWAIT.
    const bool read_failed = wl_display_read_events(display) < 0;
    const int dispatched = wl_display_dispatch_pending(display);  // what came before the end, too
    if (read_failed || dispatched < 0) return broken();
    if (dispatched == 0) break;
  }
  flush();
  return {};
}

void SideConnection::flush() { flush_blocked_ = wl_display_flush(display_.get()) < 0 && errno == EAGAIN; }

bool SideConnection::was_punished() const { return wl_display_get_error(display_.get()) == EPROTO; }

void SideConnection::ask_round_trip() {
  round_trip_.reset(wl_display_sync(display_.get()));
  if (round_trip_) wl_callback_add_listener(round_trip_.get(), &SideConnectionEvents::kRoundTrip, this);
}

Result<void> SideConnection::broken() const {
  if (!was_punished()) return fail(Status::kGone, "it closed the connection");
  const wl_interface* interface = nullptr;
  std::uint32_t object = 0;
  const std::uint32_t code = wl_display_get_protocol_error(display_.get(), &interface, &object);
  return fail(Status::kGone, fmt::format("it ended the connection with protocol error {} on {}", code,
                                         interface == nullptr ? "an unknown object" : interface->name));
}

}  // namespace compositord::agent
