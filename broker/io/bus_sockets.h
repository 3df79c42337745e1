#pragma once
// The broker's two sockets, bound, and what their connections tell.

#include <functional>
#include <string>
#include <unordered_map>
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
  // The peers whose connections have closed since the last call. To be called before receive() in each turn of the loop: a
  // descriptor may have been given to a new connection meanwhile, whose messages must not be taken for the old one's.
  std::vector<wire::RoutingId> take_disconnected();

 private:
  net::Router bus_;
  net::XPub feed_;
  net::ConnectionMonitor monitor_;
  std::unordered_map<int, wire::RoutingId> peer_of_connection_;
};

}  // namespace compositord::broker
