#pragma once
// The broker's two sockets, bound, and what their connections tell.

#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/net/connection_monitor.h"
#include "common/net/zmq_socket.h"

namespace compositord::broker {

class BusSockets {
 public:
  BusSockets(net::ZmqContext& context, const net::ReceiveLimits& limits);

  // Binds one more endpoint and returns it as it became. The directory of an ipc endpoint is made where it is missing.
  Result<std::string> bind_bus(const std::string& endpoint);
  Result<std::string> bind_feed(const std::string& endpoint);

  net::Router& bus() noexcept { return bus_; }
  net::XPub& feed() noexcept { return feed_; }
  void* monitor_handle() const noexcept { return monitor_.handle(); }

  // The next message of the bus. Remembers on which connection its peer speaks.
  net::Received receive();
  // Reads what the monitor has: to be called when its descriptor is ready, and once at first.
  void read_monitor();
  // The peers whose connections have closed since the last call.
  std::vector<wire::RoutingId> take_disconnected() { return std::exchange(disconnected_, {}); }
  bool has_disconnected() const noexcept { return !disconnected_.empty(); }

 private:
  net::Router bus_;
  net::XPub feed_;
  net::ConnectionMonitor monitor_;
  std::unordered_map<int, wire::RoutingId> peer_of_connection_;
  std::vector<wire::RoutingId> disconnected_;
};

}  // namespace compositord::broker
