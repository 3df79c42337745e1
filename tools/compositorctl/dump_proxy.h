#pragma once
// Stands between peers and the broker, and passes every message on unchanged, both ways. Each peer gets a connection of its own to
// the broker, so that to the broker it is one peer, alive as long as the real one: its identity, its heartbeats and its end.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "common/base/bounded_queue.h"
#include "common/base/instant.h"
#include "common/net/epoll.h"
#include "common/net/poller.h"
#include "common/net/router.h"
#include "common/net/zmq_socket.h"
#include "tools/compositorctl/console.h"
#include "tools/compositorctl/dump_text.h"
#include "tools/compositorctl/exit_code.h"

namespace compositord::ctl {

struct ProxySettings {
  std::string listen;
  std::string broker;
  int stop_fd = -1;  // readable: end; -1: none
};

class DumpProxy {
 public:
  // Is shown each message before it is passed on; false: it was the last one that is wanted.
  using OnMessage = std::function<Outcome<bool>(const SeenMessage&)>;

  // `context` and `console` must outlive it.
  DumpProxy(net::ZmqContext& context, Console& console, ProxySettings settings);
  DumpProxy(const DumpProxy&) = delete;
  DumpProxy& operator=(const DumpProxy&) = delete;

  // The endpoint, as it became. Failures: kUsage for either endpoint.
  Outcome<std::string> open();
  // Until the deadline, a signal, or on_message has had enough.
  Outcome<void> run(Instant deadline, const OnMessage& on_message);

 private:
  // One peer's connection to the broker.
  struct Upstream {
    Upstream(net::ZmqContext& context, const wire::RoutingId& peer_id);
    wire::RoutingId peer;
    net::Dealer socket;
    BoundedQueue<wire::Frames> waiting;  // until the broker is connected, or takes more
  };

  bool wait(Instant deadline);
  Outcome<bool> take_from_peers(const OnMessage& on_message);
  Outcome<bool> take_from_broker(const OnMessage& on_message);
  Upstream* upstream_of(const wire::RoutingId& peer);
  void pass_up(Upstream& upstream, wire::Frames&& frames);
  bool send_waiting(Upstream& upstream);
  SeenMessage seen(const wire::RoutingId& peer, Direction direction, bool too_large, wire::Frames&& frames) const;
  void drop(const std::string& why);

  net::ZmqContext& context_;
  Console& console_;
  ProxySettings settings_;
  net::Poller poller_;
  net::Epoll epoll_;
  net::Router router_;
  std::map<wire::RoutingId, Upstream> upstreams_;
  Instant connections_looked_at_;
  bool more_to_take_ = false;
  std::uint64_t dropped_ = 0;
  std::int64_t unix_us_at_origin_;
};

}  // namespace compositord::ctl
