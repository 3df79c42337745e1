#pragma once
// The broker's two sockets, bound: the bus is our own ROUTER, the feed is libzmq's XPUB.

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/connection_monitor.h"
#include "common/net/epoll.h"
#include "common/net/router.h"
#include "common/net/zmq_socket.h"

namespace compositord::broker {

class BusSockets {
 public:
  BusSockets(net::ZmqContext& context, const wire::MessageLimits& limits);

  // Binds one more endpoint and returns it as it became. The directory of an ipc endpoint is made where it is missing.
  Result<std::string> bind_bus(const std::string& endpoint);
  Result<std::string> bind_feed(const std::string& endpoint);

  // What is waited for: the bus, and what the loop adds.
  net::Epoll& epoll() noexcept { return epoll_; }
  net::Router& bus() noexcept { return bus_; }
  net::XPub& feed() noexcept { return feed_; }

  // Reads what the feed's monitor has: each second, so that it does not pile up.
  void read_feed_monitor();
  // The subscribers' connections that take nothing at the moment, because their peers do not read: how many, and whose the first
  // of them are ("127.0.0.1:41234", "pid 4711").
  struct Blocked {
    std::uint64_t count = 0;
    std::vector<std::string> peers;
  };
  Blocked blocked_subscribers() const;

 private:
  net::Epoll epoll_;
  net::Router bus_;
  net::XPub feed_;
  net::ConnectionMonitor feed_monitor_;
  std::set<int> subscribers_;  // descriptors of libzmq's; only ever looked at
};

}  // namespace compositord::broker
