#pragma once
// The broker's two sockets, bound, and what their connections tell.

#include <cstdint>
#include <set>
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
  // Reads what the feed's monitor has: each second, so that it does not pile up.
  void read_feed_monitor();
  // The subscribers' connections that take nothing at the moment, because their peers do not read: how many, and whose the first
  // of them are ("127.0.0.1:41234", "pid 4711").
  struct Blocked {
    std::uint64_t count = 0;
    std::vector<std::string> peers;
  };
  Blocked blocked_subscribers() const;
  bool has_disconnected() const noexcept { return !disconnected_.empty(); }

 private:
  net::Router bus_;
  net::XPub feed_;
  net::ConnectionMonitor monitor_;
  net::ConnectionMonitor feed_monitor_;
  std::set<int> subscribers_;  // descriptors of libzmq's; only ever looked at
  std::unordered_map<int, wire::RoutingId> peer_of_connection_;
  std::vector<wire::RoutingId> disconnected_;
};

}  // namespace compositord::broker
