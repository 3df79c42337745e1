#include "broker/io/broker_loop.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/base/clock.h"

namespace compositord::broker {

namespace {

// Bounds of one turn, so that timers and the store are looked at in between however much comes in.
constexpr int kMessagesPerTurnMax = 256;
constexpr std::size_t kBytesPerTurnMax = 16U << 20U;
constexpr int kFeedMessagesPerTurnMax = 1'024;
// The calendar is set anew in the core when it has moved by more than this against the monotonic clock.
constexpr std::int64_t kCalendarJumpMs = 20;
// Smaller delays than half the shortest heartbeat interval that may be agreed on mean nothing to the core.
constexpr Duration kLatenessMin = std::chrono::milliseconds(25);

SendError error_of(net::SendOutcome outcome) {
  if (outcome == net::SendOutcome::kUnreachable) return SendError::kUnreachable;
  if (outcome == net::SendOutcome::kFull) return SendError::kFull;
  return SendError::kFailed;
}

}  // namespace

BrokerLoop::BrokerLoop(BusSockets& sockets, StoreThread& store, log::Logger& logger, int signal_fd)
    : sockets_(sockets), store_(store), logger_(logger), signal_fd_(signal_fd) {}

void BrokerLoop::run(BrokerCore& core, const StoredState& stored) {
  const Instant start = monotonic_now();
  last_turn_ = start;
  set_calendar(core, start);
  core.load(start, stored, outputs_);
  apply_outputs();
  while (!stopping_) turn(core, core.next_deadline());
}

void BrokerLoop::turn(BrokerCore& core, Instant planned) {
  poller_.clear();
  poller_.add_socket(sockets_.bus().handle());
  const std::size_t feed = poller_.add_socket(sockets_.feed().handle());
  poller_.add_socket(sockets_.monitor_handle());
  const std::size_t store = poller_.add_fd(store_.event_fd(), POLLIN);
  const std::size_t signal = poller_.add_fd(signal_fd_, POLLIN);
  const bool work_left = messages_left_ || !failed_sends_.empty();
  poller_.wait(work_left ? Duration{} : planned - monotonic_now());

  const Instant now = monotonic_now();
  set_calendar(core, now);
  const Duration lateness = now - std::max(planned, last_turn_);
  if (lateness > kLatenessMin) core.step(now, input::Stalled{lateness}, outputs_);
  last_turn_ = now;
  for (input::SendFailed& failed : std::exchange(failed_sends_, {})) core.step(now, std::move(failed), outputs_);
  for (wire::RoutingId& peer : sockets_.take_disconnected()) {
    core.step(now, input::Disconnected{std::move(peer)}, outputs_);
  }
  messages_left_ = take_messages(core, now);
  // A look at something that has nothing costs a system call, and turns are what a busy broker does most.
  if (poller_.ready(feed)) take_feed(core, now);
  if (poller_.ready(store)) take_store(core, now);
  core.step(now, input::Tick{busy_, std::max(lateness, Duration{})}, outputs_);
  apply_outputs();
  busy_ = monotonic_now() - now;
  stopping_ = poller_.ready(signal);
}

bool BrokerLoop::take_messages(BrokerCore& core, Instant now) {
  std::size_t bytes = 0;
  for (int i = 0; i < kMessagesPerTurnMax && bytes < kBytesPerTurnMax; ++i) {
    net::Received received = sockets_.receive();
    if (received.outcome == net::ReceiveOutcome::kNothing) return false;
    if (received.outcome == net::ReceiveOutcome::kTooLarge) {
      core.step(now, input::TooLarge{std::move(received.peer)}, outputs_);
      continue;
    }
    bytes += wire::total_bytes(received.frames);
    core.step(now, input::Received{std::move(received.peer), std::move(received.frames)}, outputs_);
  }
  return true;
}

void BrokerLoop::take_feed(BrokerCore& core, Instant now) {
  for (int i = 0; i < kFeedMessagesPerTurnMax; ++i) {
    net::Received received = sockets_.feed().receive();
    if (received.outcome == net::ReceiveOutcome::kNothing) return;
    // One that was too large has lost its frames: it is counted as what it is, no subscription.
    core.step(now, input::FeedReceived{std::move(received.frames)}, outputs_);
  }
}

void BrokerLoop::take_store(BrokerCore& core, Instant now) {
  for (StoreDone& done : store_.drain()) {
    core.step(now, input::StoreDone{done.commit_id, std::move(done.outcome)}, outputs_);
  }
}

void BrokerLoop::set_calendar(BrokerCore& core, Instant now) {
  const std::int64_t offset = unix_now().ms - now.ns() / 1'000'000;
  if (std::llabs(offset - unix_ms_at_origin_) <= kCalendarJumpMs) return;
  unix_ms_at_origin_ = offset;
  core.step(now, input::CalendarSet{offset}, outputs_);
}

void BrokerLoop::apply_outputs() {
  for (StoreWrite& write : outputs_.store_writes) store_.submit(std::move(write));
  for (Send& send : outputs_.sends) {
    const net::SendOutcome outcome = sockets_.bus().send(send.peer, std::move(send.frames));
    if (outcome == net::SendOutcome::kSent) continue;
    failed_sends_.push_back(input::SendFailed{std::move(send.peer), error_of(outcome), send.request});
  }
  for (wire::Frames& frames : outputs_.publishes) sockets_.feed().publish(std::move(frames));
  for (const LogEvent& event : outputs_.log) logger_.write(event);
  outputs_.clear();
}

}  // namespace compositord::broker
