#include "tests/sim/link.h"

#include <algorithm>
#include <utility>

#include "tests/sim/sim_broker.h"

namespace compositord::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Duration kReconnectInterval = milliseconds(100);  // libzmq's
constexpr std::size_t kHighWaterMark = 1'000;

}  // namespace

Link::Link(EventQueue& events, std::uint64_t seed, SimBroker& broker, std::string name, LinkEnd end)
    : events_(events), random_(seed), broker_(broker), name_(std::move(name)), end_(std::move(end)) {}

Duration Link::delay() {
  // Now and then a packet has to be sent twice.
  if (random_.chance(1, 200)) return random_.between(milliseconds(20), milliseconds(40));
  return random_.between(microseconds(100), milliseconds(2));
}

// ---- connecting

void Link::open() {
  close();
  has_socket_ = true;
  connect_soon(delay() * 2);
}

void Link::close() {
  ++sockets_;
  has_socket_ = false;
  if (!connection_) return;
  const wire::RoutingId id = connection_->id;
  if (connection_->open_at_broker) {
    if (partitioned_) {
      unheard_closes_.push_back(id);
    } else {
      events_.at(std::max(connection_->at_broker, events_.now() + delay()), [this, id] { broker_.closed(id); });
    }
  }
  // What is on its way to the broker still arrives; what is on its way back has nobody to arrive at.
  connection_->open_at_peer = false;
}

void Link::vanish() {
  ++sockets_;
  has_socket_ = false;
  connection_.reset();
}

void Link::connect_soon(Duration delay) {
  const std::uint64_t socket = sockets_;
  events_.after(delay, [this, socket] {
    if (socket == sockets_ && has_socket_) try_connect();
  });
}

void Link::try_connect() {
  if (connected()) return;
  if (partitioned_ || !broker_.up()) return connect_soon(kReconnectInterval);
  connection_.emplace(wire::RoutingId(name_ + "#" + std::to_string(++connections_)));
  broker_.opened(connection_->id, *this);
  end_.connected();
}

// ---- messages

void Link::schedule(Instant Connection::*end, std::function<void()> what) {
  Instant& last = (*connection_).*end;
  last = std::max(last, events_.now() + delay());
  events_.at(last, std::move(what));
}

void Link::arrive(Instant Connection::*end, std::function<void()> what) {
  if (!partitioned_) return schedule(end, std::move(what));
  connection_->held.push_back([this, end, what = std::move(what)]() mutable { schedule(end, std::move(what)); });
}

void Link::send(wire::Frames frames) {
  if (!connected()) return;
  if (!connection_->open_at_broker) {
    connection_->unacknowledged = true;
    return refuse_soon();
  }
  const wire::RoutingId id = connection_->id;
  arrive(&Connection::at_broker, [this, id, frames = std::move(frames)]() mutable {
    broker_.receive(id, std::move(frames));  // which ignores a connection that it does not have
  });
}

bool Link::deliver(const wire::RoutingId& to, wire::Frames frames) {
  if (!is_current(to) || !connection_->open_at_peer) return true;  // into a cable with nobody at its end
  if (connection_->held.size() >= kHighWaterMark) return false;
  arrive(&Connection::at_peer, [this, to, frames = std::move(frames)]() mutable {
    if (is_current(to) && connection_->open_at_peer) end_.received(std::move(frames));
  });
  return true;
}

// ---- ends

void Link::broker_stopped(bool told) {
  unheard_closes_.clear();
  if (!connected() || !connection_->open_at_broker) return;
  connection_->open_at_broker = false;
  if (!told) return;
  const wire::RoutingId id = connection_->id;
  arrive(&Connection::at_peer, [this, id] {
    if (is_current(id)) lose_at_peer();
  });
}

void Link::broker_started() {
  if (connected() && !connection_->open_at_broker && connection_->unacknowledged) refuse_soon();
}

void Link::refuse_soon() {
  // TCP sends again what nobody acknowledged, and the new broker's host answers that it has no such connection.
  if (!broker_.up() || partitioned_) return;
  const wire::RoutingId id = connection_->id;
  events_.after(random_.between(milliseconds(1), milliseconds(400)), [this, id] {
    if (is_current(id)) lose_at_peer();
  });
}

void Link::lose_at_peer() {
  if (!connected()) return;
  connection_.reset();
  connect_soon(kReconnectInterval);
  end_.disconnected();
}

void Link::reset() {
  if (!connected()) return;
  const wire::RoutingId id = connection_->id;
  if (connection_->open_at_broker) events_.after(delay(), [this, id] { broker_.closed(id); });
  lose_at_peer();
}

void Link::set_partitioned(bool partitioned) {
  partitioned_ = partitioned;
  if (partitioned) return;
  for (const wire::RoutingId& id : std::exchange(unheard_closes_, {})) {
    events_.after(random_.between(milliseconds(1), milliseconds(200)), [this, id] { broker_.closed(id); });
  }
  if (!connection_) return;
  // TCP's next attempt takes a while.
  const Instant resumed = events_.now() + random_.between(milliseconds(0), milliseconds(200));
  connection_->at_broker = std::max(connection_->at_broker, resumed);
  connection_->at_peer = std::max(connection_->at_peer, resumed);
  for (auto& held : std::exchange(connection_->held, {})) held();
  if (connected() && !connection_->open_at_broker && connection_->unacknowledged) refuse_soon();
}

}  // namespace compositord::sim
