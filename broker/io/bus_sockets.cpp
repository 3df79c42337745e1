#include "broker/io/bus_sockets.h"

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

}  // namespace

BusSockets::BusSockets(net::ZmqContext& context, const net::ReceiveLimits& limits)
    : bus_(context, limits), feed_(context, limits), monitor_(context, bus_) {}

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

}  // namespace compositord::broker
