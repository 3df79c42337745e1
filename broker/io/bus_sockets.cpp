#include "broker/io/bus_sockets.h"

#include <poll.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "common/net/peer_name.h"

namespace compositord::broker {

namespace {

constexpr std::string_view kIpc = "ipc://";

Result<void> make_directory_of(const std::string& endpoint) {
  if (!endpoint.starts_with(kIpc)) return {};
  const std::filesystem::path folder = std::filesystem::path(endpoint.substr(kIpc.size())).parent_path();
  std::error_code error;
  if (folder.empty() || std::filesystem::exists(folder, error)) return {};
  std::filesystem::create_directories(folder, error);
  if (error) return fail(Status::kFailed, fmt::format("make the directory {}: {}", folder.string(), error.message()));
  // Whoever can reach the socket can command the screens: only its owner may.
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  return {};
}

template <class Socket>
Result<std::string> bind_one(Socket& socket, const std::string& endpoint) {
  const Result<void> made = make_directory_of(endpoint);
  if (!made) return tl::unexpected<Error>(made.error());
  return socket.bind(endpoint);
}

constexpr std::size_t kNamedMax = 5;

// Subscribers send prefixes of topics, which have less than 0.5 KiB; libzmq keeps 30 bytes for each byte of one.
wire::MessageLimits for_the_feed(wire::MessageLimits limits) {
  constexpr std::size_t kBytesMax = std::size_t{4} * 1024;
  limits.bytes_per_frame_max = std::min(limits.bytes_per_frame_max, kBytesMax);
  return limits;
}

}  // namespace

BusSockets::BusSockets(net::ZmqContext& context, const wire::MessageLimits& limits)
    : bus_(epoll_, limits), feed_(context, for_the_feed(limits)), feed_monitor_(context, feed_) {}

Result<std::string> BusSockets::bind_bus(const std::string& endpoint) { return bind_one(bus_, endpoint); }

Result<std::string> BusSockets::bind_feed(const std::string& endpoint) { return bind_one(feed_, endpoint); }

void BusSockets::read_feed_monitor() {
  while (const auto event = feed_monitor_.receive()) {
    if (event->change == net::ConnectionChange::kAccepted) subscribers_.insert(event->connection);
    if (event->change == net::ConnectionChange::kDisconnected) subscribers_.erase(event->connection);
  }
}

BusSockets::Blocked BusSockets::blocked_subscribers() const {
  std::vector<pollfd> fds;
  for (const int fd : subscribers_) fds.push_back({fd, POLLOUT, 0});
  Blocked blocked;
  if (::poll(fds.data(), fds.size(), 0) < 0) return blocked;
  for (const pollfd& fd : fds) {
    if (fd.revents != 0) continue;  // there is room, or the connection is closing
    if (++blocked.count <= kNamedMax) blocked.peers.push_back(net::peer_name(fd.fd));
  }
  return blocked;
}

}  // namespace compositord::broker
