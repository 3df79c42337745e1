#include "tools/compositorctl/dump_proxy.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "common/base/clock.h"

namespace compositord::ctl {

namespace {

// Wider than any broker's: what breaks a limit is for the broker to refuse.
constexpr wire::MessageLimits kLimits{4'096, 256U << 20U, 512U << 20U};
// What stands between a debugging person and a mistake. Each peer costs some file descriptors.
constexpr std::size_t kPeersMax = 1'000;
constexpr std::size_t kWaitingMessagesMax = 1'000;
constexpr std::size_t kWaitingBytesMax = 64U << 20U;
// Of one side, before the other one and the signals are looked at.
constexpr int kMessagesPerTurnMax = 256;
// A connection that takes more wakes nobody: as long as something waits for that, it is tried again so often.
constexpr Duration kTryAgainAfter = std::chrono::milliseconds(5);
// How often connections are looked at that do not finish their handshake, or never come.
constexpr Duration kLookInterval = std::chrono::seconds(1);

}  // namespace

DumpProxy::Upstream::Upstream(net::ZmqContext& context, const wire::RoutingId& peer_id)
    : peer(peer_id),
      // It keeps what the broker said last, before it ended the connection.
      socket(context, kLimits, net::Unconnected::kQueues),
      monitor(context, socket),
      waiting(kWaitingMessagesMax, kWaitingBytesMax),
      began(monotonic_now()) {}

void DumpProxy::Upstream::follow() {
  while (const std::optional<net::ConnectionEvent> event = monitor.receive()) {
    if (event->change == net::ConnectionChange::kReady && !ended) connected = true;
    if (event->change != net::ConnectionChange::kDisconnected) continue;
    ended |= connected;
    connected = false;
  }
}

DumpProxy::DumpProxy(net::ZmqContext& context, Console& console, ProxySettings settings)
    : context_(context),
      console_(console),
      settings_(std::move(settings)),
      router_(epoll_, kLimits),
      unix_us_at_origin_(unix_now().ms * 1'000 - monotonic_now().ns() / 1'000) {}

Outcome<std::string> DumpProxy::open() {
  net::Dealer trial(context_, kLimits);  // so that a wrong endpoint is told now, and not when the first peer comes
  const Result<void> connected = trial.connect(settings_.broker);
  if (!connected) return give_up(ExitCode::kUsage, "--broker: " + connected.error().text);
  const Result<std::string> bound = router_.bind(settings_.listen);
  if (!bound) return give_up(ExitCode::kUsage, "--listen: " + bound.error().text);
  return *bound;
}

Outcome<void> DumpProxy::run(Instant deadline, const OnMessage& on_message) {
  while (wait(deadline)) {
    const Outcome<bool> up = take_from_peers(on_message);
    if (!up) return tl::unexpected<Failure>(up.error());
    const Outcome<bool> down = *up ? take_from_broker(on_message) : up;
    if (!down) return tl::unexpected<Failure>(down.error());
    if (!*down) break;
  }
  while (!upstreams_.empty()) forget(wire::RoutingId(upstreams_.begin()->first));
  if (dropped_ > 0) console_.note(fmt::format("{} messages in all were not passed on", dropped_));
  return {};
}

// False: it is over.
bool DumpProxy::wait(Instant deadline) {
  Duration again_after = kNever - monotonic_now();
  poller_.clear();
  const std::size_t peers = poller_.add_fd(epoll_.fd(), POLLIN);
  for (auto& [peer, upstream] : upstreams_) {
    poller_.add_socket(upstream.socket.handle());
    poller_.add_socket(upstream.monitor.handle());
    if (!send_waiting(upstream))
      again_after = std::min(again_after, upstream.connected ? kTryAgainAfter : kLookInterval);
    more_to_take_ |= upstream.ended;
  }
  std::optional<std::size_t> stop;
  if (settings_.stop_fd >= 0) stop = poller_.add_fd(settings_.stop_fd, POLLIN);
  const Instant now = monotonic_now();
  if (now >= deadline) return false;
  poller_.wait(more_to_take_ ? Duration{} : std::min(deadline - now, again_after));
  if (poller_.ready(peers)) {
    for (const net::Epoll::Ready& ready : epoll_.wait(Duration{})) router_.take(ready);
  }
  return !stop || !poller_.ready(*stop);
}

Outcome<bool> DumpProxy::take_from_peers(const OnMessage& on_message) {
  using Kind = net::RouterEvent::Kind;
  more_to_take_ = false;
  for (int i = 0; i < kMessagesPerTurnMax; ++i) {
    net::RouterEvent event = router_.next(monotonic_now());
    if (event.kind == Kind::kNothing) break;
    if (event.kind == Kind::kRefused) console_.note(event.text);
    if (event.kind == Kind::kClosed) forget(event.peer);  // now the broker may see its end
    if (event.kind != Kind::kMessage && event.kind != Kind::kTooLarge) continue;
    SeenMessage message =
        seen(event.peer, Direction::kToBroker, event.kind == Kind::kTooLarge, std::move(event.frames));
    Upstream* upstream = upstream_of(message.peer);
    Outcome<bool> go_on = on_message(message);
    if (message.too_large) {
      drop("it is larger than this program takes");
    } else if (upstream != nullptr) {
      pass_up(*upstream, std::move(message.frames));
    }
    if (!go_on || !*go_on) return go_on;
  }
  look_after_connections();
  more_to_take_ = router_.has_more();
  router_.flush();
  return true;
}

Outcome<bool> DumpProxy::take_from_broker(const OnMessage& on_message) {
  std::vector<wire::RoutingId> ended;
  for (auto& [peer, upstream] : upstreams_) {
    upstream.follow();  // before its messages are taken: after its end there are no more
    Outcome<bool> go_on = take_from_broker(upstream, on_message);
    if (!go_on || !*go_on) return go_on;
    more_to_take_ |= upstream.has_more;
    if (upstream.ended && !upstream.has_more) ended.push_back(peer);
  }
  end_connections_of(ended);
  router_.flush();
  return true;
}

Outcome<bool> DumpProxy::take_from_broker(Upstream& upstream, const OnMessage& on_message) {
  upstream.has_more = false;
  for (int i = 0; i < kMessagesPerTurnMax; ++i) {
    net::Received received = upstream.socket.receive();
    if (received.outcome == net::ReceiveOutcome::kNothing) return true;
    const bool too_large = received.outcome == net::ReceiveOutcome::kTooLarge;
    SeenMessage message = seen(upstream.peer, Direction::kFromBroker, too_large, std::move(received.frames));
    Outcome<bool> go_on = on_message(message);
    if (message.too_large) {
      drop("it is larger than this program takes");
    } else {
      const net::SendOutcome sent = router_.send(upstream.peer, std::move(message.frames));
      if (sent == net::SendOutcome::kFull) drop("its peer does not read");
      if (sent == net::SendOutcome::kFailed) drop("the socket refused it");
      // kUnreachable: the peer is gone, and the broker will learn so at once.
    }
    if (!go_on || !*go_on) return go_on;
  }
  upstream.has_more = true;
  return true;
}

// What a peer says until it notices reaches nobody: a new connection to the broker would be another peer's there.
void DumpProxy::end_connections_of(const std::vector<wire::RoutingId>& peers) {
  for (const wire::RoutingId& peer : peers) {
    console_.note(
        fmt::format("the connection of {} was ended by the broker: it is ended here, too", settings_.name_of(peer)));
    forget(peer);
    ended_.insert(peer);
    router_.close_peer(peer);
  }
}

void DumpProxy::forget(const wire::RoutingId& peer) {
  ended_.erase(peer);
  const auto known = upstreams_.find(peer);
  if (known == upstreams_.end()) return;
  drop("it never reached a broker", known->second.waiting.size());
  upstreams_.erase(known);
}

void DumpProxy::look_after_connections() {
  const Instant now = monotonic_now();
  if (now - connections_looked_at_ <= kLookInterval) return;
  router_.look_after_connections(connections_looked_at_ = now);
  for (const auto& [peer, upstream] : upstreams_) {
    const bool waits = !upstream.connected && !upstream.waiting.empty() && now - upstream.began > kLookInterval;
    if (!waits || std::exchange(told_of_no_broker_, true)) continue;
    console_.note(fmt::format("no broker answers at {}: what is said waits for one", settings_.broker));
  }
}

// Nothing when there are too many peers.
DumpProxy::Upstream* DumpProxy::upstream_of(const wire::RoutingId& peer) {
  const auto known = upstreams_.find(peer);
  if (known != upstreams_.end()) return &known->second;
  if (ended_.contains(peer)) {
    drop("the broker has ended the connection of its peer");
    return nullptr;
  }
  if (upstreams_.size() >= kPeersMax) {
    drop(fmt::format("there are more than {} peers", kPeersMax));
    return nullptr;
  }
  Upstream& made =
      upstreams_.emplace(std::piecewise_construct, std::forward_as_tuple(peer), std::forward_as_tuple(context_, peer))
          .first->second;
  const Result<void> connected = made.socket.connect(settings_.broker);
  if (!connected) drop(connected.error().text);  // open() has tried it: only for want of resources
  return &made;
}

void DumpProxy::pass_up(Upstream& upstream, wire::Frames&& frames) {
  if (frames.empty()) return;
  const std::size_t bytes = wire::total_bytes(frames);
  if (!upstream.waiting.push(std::move(frames), bytes)) return drop("the broker does not take it");
  send_waiting(upstream);
}

// Whether all is sent. In order: a message never overtakes one that waits.
bool DumpProxy::send_waiting(Upstream& upstream) {
  upstream.follow();  // what belongs to one connection must not come over the next
  while (!upstream.waiting.empty()) {
    if (!upstream.connected) return false;
    wire::Frames frames = upstream.waiting.front();  // a copy: a send that fails may have taken its bytes
    const net::SendOutcome outcome = upstream.socket.send(std::move(frames));
    if (outcome == net::SendOutcome::kFull) return false;
    if (outcome != net::SendOutcome::kSent) drop("the socket refused it");
    upstream.waiting.pop();
  }
  return true;
}

SeenMessage DumpProxy::seen(const wire::RoutingId& peer, Direction direction, bool too_large,
                            wire::Frames&& frames) const {
  const std::int64_t unix_us = unix_us_at_origin_ + monotonic_now().ns() / 1'000;
  return SeenMessage{unix_us, peer, direction, too_large, std::move(frames)};
}

// The first one is told at once, the others are counted: who debugs must know that the bus is no longer as it would be.
void DumpProxy::drop(const std::string& why, std::uint64_t count) {
  if (dropped_ == 0 && count > 0) console_.note("a message was not passed on: " + why);
  dropped_ += count;
}

}  // namespace compositord::ctl
