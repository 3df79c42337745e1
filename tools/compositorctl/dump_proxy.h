#pragma once
// Stands between peers and the broker, and passes every message on unchanged, both ways. Each peer gets a connection of its own to
// the broker, so that to the broker it is one peer, alive as long as the real one: its identity, its heartbeats and its end. And so
// is the broker to the peer: when it ends that connection, the peer's own ends.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/bounded_queue.h"
#include "common/base/instant.h"
#include "common/net/connection_monitor.h"
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
  // As on_message calls it, for people.
  std::function<std::string(const wire::RoutingId&)> name_of;
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
    void follow();  // its connection, as far as the monitor has told
    wire::RoutingId peer;
    net::Dealer socket;
    net::ConnectionMonitor monitor;
    BoundedQueue<wire::Frames> waiting;  // until the broker is connected, or takes more
    Instant began;
    bool connected = false;
    bool has_more = false;  // may have, from the broker
    bool ended = false;     // it was connected; that the socket connects again is of no use to the peer
  };

  bool wait(Instant deadline);
  Outcome<bool> take_from_peers(const OnMessage& on_message);
  Outcome<bool> take_from_broker(const OnMessage& on_message);
  Outcome<bool> take_from_broker(Upstream& upstream, const OnMessage& on_message);
  void end_connections_of(const std::vector<wire::RoutingId>& peers);
  void forget(const wire::RoutingId& peer);
  void look_after_connections();
  Upstream* upstream_of(const wire::RoutingId& peer);
  void pass_up(Upstream& upstream, wire::Frames&& frames);
  bool send_waiting(Upstream& upstream);
  SeenMessage seen(const wire::RoutingId& peer, Direction direction, bool too_large, wire::Frames&& frames) const;
  void drop(const std::string& why, std::uint64_t count = 1);

  net::ZmqContext& context_;
  Console& console_;
  ProxySettings settings_;
  net::Poller poller_;
  net::Epoll epoll_;
  net::Router router_;
  std::map<wire::RoutingId, Upstream> upstreams_;
  std::set<wire::RoutingId> ended_;  // peers that are not gone yet, but their connections to the broker
  Instant connections_looked_at_;
  bool more_to_take_ = false;
  bool told_of_no_broker_ = false;
  std::uint64_t dropped_ = 0;
  std::int64_t unix_us_at_origin_;
};

}  // namespace compositord::ctl
