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
    if (wl_display_read_events(display) < 0) return broken();
    const int dispatched = wl_display_dispatch_pending(display);
    if (dispatched < 0) return broken();
    if (dispatched == 0) break;
  }
  flush_blocked_ = wl_display_flush(display) < 0 && errno == EAGAIN;
  return {};
}

Result<void> SideConnection::broken() const {
  const int error = wl_display_get_error(display_.get());
  if (error != EPROTO) return fail(Status::kGone, "it closed the connection");
  const wl_interface* interface = nullptr;
  std::uint32_t object = 0;
  const std::uint32_t code = wl_display_get_protocol_error(display_.get(), &interface, &object);
  return fail(Status::kGone, fmt::format("it ended the connection with protocol error {} on {}", code,
                                         interface == nullptr ? "an unknown object" : interface->name));
}

}  // namespace compositord::agent
