#include "tools/compositorctl/dump_proxy.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "common/base/clock.h"

namespace compositord::ctl {

namespace {

// Wider than any broker's: what breaks a limit is for the broker to refuse.
constexpr net::ReceiveLimits kLimits{4'096, 256U << 20U, 512U << 20U};
// What stands between a debugging person and a mistake. Each peer costs some file descriptors.
constexpr std::size_t kPeersMax = 1'000;
constexpr std::size_t kWaitingMessagesMax = 1'000;
constexpr std::size_t kWaitingBytesMax = 64U << 20U;
// Of one side, before the other one and the signals are looked at.
constexpr int kMessagesPerTurnMax = 256;
// A connection that becomes ready, or takes more, wakes nobody: as long as something waits for one, it is tried again so often.
constexpr Duration kTryAgainAfter = std::chrono::milliseconds(5);

}  // namespace

DumpProxy::Upstream::Upstream(net::ZmqContext& context, const wire::RoutingId& peer_id)
    : peer(peer_id), socket(context, kLimits), waiting(kWaitingMessagesMax, kWaitingBytesMax) {}

DumpProxy::DumpProxy(net::ZmqContext& context, Console& console, ProxySettings settings)
    : context_(context),
      console_(console),
      settings_(std::move(settings)),
      router_(context, kLimits),
      monitor_(context, router_),
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
    collect_closed();
    const Outcome<bool> up = take_from_peers(on_message);
    if (!up) return tl::unexpected<Failure>(up.error());
    const Outcome<bool> down = *up ? take_from_broker(on_message) : up;
    if (!down) return tl::unexpected<Failure>(down.error());
    if (!*down) break;
  }
  if (dropped_ > 0) console_.note(fmt::format("{} messages in all were not passed on", dropped_));
  return {};
}

// False: it is over.
bool DumpProxy::wait(Instant deadline) {
  bool waiting = false;
  poller_.clear();
  poller_.add_socket(router_.handle());
  poller_.add_socket(monitor_.handle());
  for (auto& [peer, upstream] : upstreams_) {
    poller_.add_socket(upstream.socket.handle());
    waiting |= !send_waiting(upstream);
  }
  std::optional<std::size_t> stop;
  if (settings_.stop_fd >= 0) stop = poller_.add_fd(settings_.stop_fd, POLLIN);
  const Instant now = monotonic_now();
  if (now >= deadline) return false;
  const Instant until = waiting ? std::min(deadline, now + kTryAgainAfter) : deadline;
  poller_.wait(more_to_take_ ? Duration{} : until - now);
  return !stop || !poller_.ready(*stop);
}

void DumpProxy::collect_closed() {
  while (const std::optional<net::ConnectionEvent> event = monitor_.receive()) {
    const auto known = peer_of_connection_.find(event->connection);
    if (known == peer_of_connection_.end()) continue;
    if (event->change == net::ConnectionChange::kDisconnected) closed_.push_back(known->second);
    peer_of_connection_.erase(known);  // also when a new connection got the descriptor
  }
}

Outcome<bool> DumpProxy::take_from_peers(const OnMessage& on_message) {
  for (int i = 0; i < kMessagesPerTurnMax; ++i) {
    net::Received received = router_.receive();
    if (received.outcome == net::ReceiveOutcome::kNothing) {
      // Nothing of those that are gone is left to be read: now the broker may see their end.
      for (const wire::RoutingId& peer : std::exchange(closed_, {})) upstreams_.erase(peer);
      more_to_take_ = false;
      return true;
    }
    if (received.connection >= 0) peer_of_connection_[received.connection] = received.peer;
    SeenMessage message = seen(received.peer, Direction::kToBroker, received);
    Upstream* upstream = upstream_of(message.peer);
    const Outcome<bool> go_on = on_message(message);
    if (message.too_large) {
      drop("it is larger than this program takes");
    } else if (upstream != nullptr) {
      pass_up(*upstream, std::move(message.frames));
    }
    if (!go_on || !*go_on) return go_on;
  }
  more_to_take_ = true;
  return true;
}

Outcome<bool> DumpProxy::take_from_broker(const OnMessage& on_message) {
  for (auto& [peer, upstream] : upstreams_) {
    for (int i = 0;; ++i) {
      if (i == kMessagesPerTurnMax) {
        more_to_take_ = true;
        break;
      }
      net::Received received = upstream.socket.receive();
      if (received.outcome == net::ReceiveOutcome::kNothing) break;
      SeenMessage message = seen(peer, Direction::kFromBroker, received);
      const Outcome<bool> go_on = on_message(message);
      if (message.too_large) {
        drop("it is larger than this program takes");
      } else {
        const net::SendOutcome sent = router_.send(peer, std::move(message.frames));
        if (sent == net::SendOutcome::kFull) drop("its peer does not read");
        if (sent == net::SendOutcome::kFailed) drop("the socket refused it");
        // kUnreachable: the peer is gone, and the broker will learn so at once.
      }
      if (!go_on || !*go_on) return go_on;
    }
  }
  return true;
}

// Nothing when there are too many peers.
DumpProxy::Upstream* DumpProxy::upstream_of(const wire::RoutingId& peer) {
  const auto known = upstreams_.find(peer);
  if (known != upstreams_.end()) return &known->second;
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
  while (!upstream.waiting.empty()) {
    wire::Frames frames = upstream.waiting.front();  // a copy: a send that fails may have taken its bytes
    const net::SendOutcome outcome = upstream.socket.send(std::move(frames));
    if (outcome == net::SendOutcome::kFull) return false;
    if (outcome != net::SendOutcome::kSent) drop("the socket refused it");
    upstream.waiting.pop();
  }
  return true;
}

SeenMessage DumpProxy::seen(const wire::RoutingId& peer, Direction direction, net::Received& received) const {
  const bool too_large = received.outcome == net::ReceiveOutcome::kTooLarge;
  const std::int64_t unix_us = unix_us_at_origin_ + monotonic_now().ns() / 1'000;
  return SeenMessage{unix_us, peer, direction, too_large, std::move(received.frames)};
}

// The first one is told at once, the others are counted: who debugs must know that the bus is no longer as it would be.
void DumpProxy::drop(const std::string& why) {
  if (++dropped_ == 1) console_.note("a message was not passed on: " + why);
}

}  // namespace compositord::ctl
