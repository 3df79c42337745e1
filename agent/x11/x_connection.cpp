#include "agent/x11/x_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent::x11 {

namespace {

// A flood of events must not hold the loop: 16 x 16 KiB per turn.
constexpr int kReadsPerServiceMax = 16;
constexpr std::size_t kReadBytes = 16U << 10U;
// XCB writes its request at once; this is only for the case that it doesn't write any.
constexpr int kHelperWaitMs = 200;

}  // namespace

XConnection::XConnection(FileDescriptor server, const std::string& setup_request)
    : server_(std::move(server)), unsent_(setup_request) {}

void XConnection::poll_fds(std::vector<pollfd>& fds) const {
  const int events = unsent_.empty() ? POLLIN : POLLIN | POLLOUT;
  fds.push_back(pollfd{server_.get(), static_cast<short>(events), 0});
}

Result<void> XConnection::service(std::vector<XOwned<xcb_generic_event_t>>& events) {
  std::array<char, kReadBytes> buffer{};
  for (int i = 0; i < kReadsPerServiceMax; ++i) {
    const ssize_t n = ::recv(server_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n == 0) return fail(Status::kGone, "closed its X11 socket");
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n < 0) return fail(Status::kGone, fmt::format("broke its X11 socket ({})", std::strerror(errno)));
    cutter_.append(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
    for (;;) {
      const auto packet = cutter_.next();
      if (!packet) return tl::unexpected(packet.error());
      if (!*packet) break;
      if (auto taken = take_packet(**packet, events); !taken) return taken;
    }
  }
  return flush();
}

Result<void> XConnection::take_packet(const std::string& packet, std::vector<XOwned<xcb_generic_event_t>>& events) {
  if (!is_set_up()) return start_xcb(packet);
  if (auto given = give_to_xcb(packet); !given) return given;
  // XCB reads only when it has no event left, so the last call, which returns none, has taken the packet.
  while (xcb_generic_event_t* event = xcb_poll_for_event(xcb())) events.emplace_back(event);
  if (xcb_connection_has_error(xcb()) != 0) return fail(Status::kFailed, "broke the X11 protocol");
  take_replies();
  return {};
}

Result<void> XConnection::give_to_xcb(const std::string& packet) {
  // The pair is empty and holds more than the largest packet, so this is whole or an error.
  const ssize_t n = ::send(pair_.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n == static_cast<ssize_t>(packet.size())) return {};
  return fail(Status::kFailed, fmt::format("{} bytes could not be handed to XCB", packet.size()));
}

Result<void> XConnection::answer_setup(const std::string& setup_reply) {
  pollfd asked{pair_.get(), POLLIN, 0};
  std::array<char, 256> request{};  // ours was sent long ago
  const bool has_asked =
      ::poll(&asked, 1, kHelperWaitMs) == 1 && ::recv(pair_.get(), request.data(), request.size(), MSG_DONTWAIT) > 0;
  if (!has_asked) {
    ::shutdown(pair_.get(), SHUT_RDWR);  // so that XCB does not wait
    return fail(Status::kFailed, "XCB did not begin");
  }
  return give_to_xcb(setup_reply);
}

Result<void> XConnection::start_xcb(const std::string& setup_reply) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return fail(Status::kFailed, fmt::format("no socket pair: {}", std::strerror(errno)));
  }
  pair_ = FileDescriptor(ends[0]);
  // XCB sends a setup request and then waits for the reply, which we have; given before the request, the reply would be
  // taken for an ordinary packet. So a helper stands in for the server for the moment. Neither waits for anybody else.
  Result<void> given;
  std::thread helper([&] { given = answer_setup(setup_reply); });
  xcb_.reset(xcb_connect_to_fd(ends[1], nullptr));  // it closes that end, also when it fails
  helper.join();
  if (!given || xcb_connection_has_error(xcb()) != 0) {
    xcb_.reset();
    return fail(Status::kFailed, given ? "XCB does not understand the X server's setup" : given.error().text);
  }
  if (xcb_setup_roots_length(setup()) < 1) return fail(Status::kFailed, "the X server has no screen");
  const std::size_t request_bytes = std::size_t{setup()->maximum_request_length} * 4;
  if (request_bytes < kRequestBytesMax) {
    return fail(Status::kFailed, fmt::format("the X server takes requests of {} bytes, and the protocol promises {}",
                                             request_bytes, kRequestBytesMax));
  }
  ids_ = XIds(setup()->resource_id_base, setup()->resource_id_mask);
  return {};
}

Result<XId> XConnection::take_id() {
  if (const auto id = ids_.take()) return XId(ids_, *id);
  return fail(Status::kLimit,
              "the X server allows this agent no more resource ids; try again when its other commands have ended");
}

void XConnection::take_replies() {
  while (!owed_.empty()) {
    void* reply = nullptr;
    xcb_generic_error_t* error = nullptr;
    if (xcb_poll_for_reply(xcb(), owed_.front().sequence, &reply, &error) == 0) return;
    const XOwned<void> owned_reply(reply);
    const XOwned<xcb_generic_error_t> owned_error(error);
    // Out of the list first: a handler asks for more.
    const ReplyHandler handler = std::move(owed_.front().handler);
    owed_.pop_front();
    handler(reply);
  }
}

Result<void> XConnection::flush() {
  if (is_set_up()) {
    if (owed_.size() > kOwedMax) return fail(Status::kLimit, "the X server owes too many replies");
    xcb_flush(xcb());
    take_requests();
  }
  if (unsent_.size() > kUnsentBytesMax) return fail(Status::kLimit, "the X server does not read");
  return send_unsent();
}

void XConnection::take_requests() {
  std::array<char, kReadBytes> buffer{};
  for (;;) {
    const ssize_t n = ::recv(pair_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n <= 0) return;
    unsent_.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

Result<void> XConnection::send_unsent() {
  while (!unsent_.empty()) {
    const ssize_t n = ::send(server_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
    // What the server said before it closed can still be read, and the reading finds the end.
    if (n < 0 && errno == EPIPE) return {};
    if (n < 0) return fail(Status::kGone, fmt::format("broke its X11 socket ({})", std::strerror(errno)));
    unsent_.erase(0, static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace compositord::agent::x11
