#include "broker/io/bus_sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

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

Result<std::string> bind_one(net::ZmqSocket& socket, const std::string& endpoint) {
  const Result<void> made = make_directory_of(endpoint);
  if (!made) return tl::unexpected<Error>(made.error());
  return socket.bind(endpoint);
}

constexpr std::size_t kNamedMax = 5;

// Who is at the other end, for people.
std::string peer_name(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "gone";
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof(v6));
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return fmt::format("[{}]:{}", text.data(), ntohs(v6.sin6_port));
  }
  ucred peer{};
  size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "unknown";
  return fmt::format("pid {}", peer.pid);
}

}  // namespace

BusSockets::BusSockets(net::ZmqContext& context, const net::ReceiveLimits& limits)
    : bus_(context, limits), feed_(context, limits), monitor_(context, bus_), feed_monitor_(context, feed_) {}

Result<std::string> BusSockets::bind_bus(const std::string& endpoint) { return bind_one(bus_, endpoint); }

Result<std::string> BusSockets::bind_feed(const std::string& endpoint) { return bind_one(feed_, endpoint); }

net::Received BusSockets::receive() {
  net::Received received = bus_.receive();
  if (received.outcome != net::ReceiveOutcome::kNothing && received.connection >= 0) {
    const auto it = peer_of_connection_.find(received.connection);
    if (it != peer_of_connection_.end() && it->second == received.peer) return received;
    // libzmq gives a descriptor to a new connection: what it told of the one before must be read first.
    read_monitor();
    peer_of_connection_[received.connection] = received.peer;
  }
  return received;
}

void BusSockets::read_monitor() {
  while (const auto event = monitor_.receive()) {
    const auto it = peer_of_connection_.find(event->connection);
    if (it == peer_of_connection_.end()) continue;
    if (event->change == net::ConnectionChange::kDisconnected) disconnected_.push_back(std::move(it->second));
    peer_of_connection_.erase(it);  // also when a new connection got the descriptor
  }
}

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
    if (++blocked.count <= kNamedMax) blocked.peers.push_back(peer_name(fd.fd));
  }
  return blocked;
}

}  // namespace compositord::broker
