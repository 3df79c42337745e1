#pragma once
// The network between one peer and the broker, as TCP and libzmq make it: connections that keep the order, lose nothing while
// they live, take up to a second to notice that a cable was pulled and mended, and are made anew when they end.

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "common/base/random.h"
#include "common/wire/frames.h"
#include "tests/sim/event_queue.h"

namespace compositord::sim {

class SimBroker;

// What the peer's process hears of it.
struct LinkEnd {
  std::function<void()> connected;
  std::function<void()> disconnected;
  std::function<void(wire::Frames)> received;
};

class Link {
 public:
  Link(EventQueue& events, std::uint64_t seed, SimBroker& broker, std::string name, LinkEnd end);

  // The peer's side. A new socket closes the old one and connects as soon as it can, again and again.
  void open();
  void close();   // the kernel tells the broker
  void vanish();  // the machine lost its power: nobody tells anybody
  void send(wire::Frames frames);
  bool connected() const noexcept { return connection_ && connection_->open_at_peer; }
  const wire::RoutingId* routing_id() const noexcept { return connection_ ? &connection_->id : nullptr; }

  // The broker's side. False: its high-water mark is reached.
  bool deliver(const wire::RoutingId& to, wire::Frames frames);
  void broker_stopped(bool told);
  void broker_started();

  // Faults.
  void set_partitioned(bool partitioned);
  bool partitioned() const noexcept { return partitioned_; }
  void reset();  // the connection breaks and both ends hear of it; what was on its way is lost

 private:
  struct Connection {
    explicit Connection(wire::RoutingId connection_id) : id(std::move(connection_id)) {}
    wire::RoutingId id;
    bool open_at_peer = true;
    bool open_at_broker = true;
    bool unacknowledged = false;  // sent to a broker that was not there
    Instant at_broker;            // when the last message arrives there
    Instant at_peer;
    std::deque<std::function<void()>> held;  // by a partition, in the order of their sending
  };
  Duration delay();
  void connect_soon(Duration delay);
  void try_connect();
  // Lets something happen at an end of the connection, behind everything sent to it before.
  void arrive(Instant Connection::*end, std::function<void()> what);
  void schedule(Instant Connection::*end, std::function<void()> what);
  bool is_current(const wire::RoutingId& id) const noexcept { return connection_ && connection_->id == id; }
  void lose_at_peer();  // the peer hears that its connection is gone, and libzmq tries anew
  void refuse_soon();   // a connection that the broker does not know is reset

  EventQueue& events_;
  Random random_;
  SimBroker& broker_;
  std::string name_;
  LinkEnd end_;
  std::optional<Connection> connection_;
  std::uint64_t connections_ = 0;
  std::uint64_t sockets_ = 0;  // counts open(), close(), vanish(): attempts of an earlier socket mean nothing
  bool has_socket_ = false;
  bool partitioned_ = false;
  std::deque<wire::RoutingId> unheard_closes_;  // the broker will hear of them when the partition ends
};

}  // namespace compositord::sim
