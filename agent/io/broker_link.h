#pragma once
// The agent's socket to the broker and its monitor, thrown away and made anew together: 18/MDP wants a new socket after
// DISCONNECT.

#include <memory>
#include <string>

#include "common/net/connection_monitor.h"
#include "common/net/zmq_socket.h"

namespace compositord::agent {

class BrokerLink {
 public:
  // Errors: kMalformed for an endpoint that can't be understood. A broker that isn't there is no error.
  static Result<BrokerLink> open(net::ZmqContext& context, const std::string& endpoint);

  net::Dealer& bus() noexcept { return *bus_; }
  net::ConnectionMonitor& monitor() noexcept { return *monitor_; }

 private:
  BrokerLink() = default;
  std::unique_ptr<net::Dealer> bus_;
  std::unique_ptr<net::ConnectionMonitor> monitor_;
};

}  // namespace compositord::agent
