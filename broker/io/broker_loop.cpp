#include "broker/io/broker_loop.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "common/base/clock.h"

namespace compositord::broker {

namespace {

// Bounds of one turn, so that timers and the store are looked at in between however much comes in.
constexpr int kMessagesPerTurnMax = 256;
constexpr std::size_t kBytesPerTurnMax = 16U << 20U;
// After so many, what they have caused is sent: their receivers shall work on it while the turn goes on.
constexpr int kMessagesPerFlush = 32;
// So many turns with messages may follow each other before everything else is looked at.
constexpr int kTurnsWithoutPollMax = 8;
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

BrokerLoop::BrokerLoop(BusSockets& sockets, StoreThread& store, log::Logger& logger, int signal_fd, TraceWriter* trace)
    : sockets_(sockets), store_(store), logger_(logger), signal_fd_(signal_fd), trace_(trace) {}

void BrokerLoop::run(BrokerCore& core, const StoredState& stored) {
  const Instant start = monotonic_now();
  last_turn_ = start;
  set_calendar(core, start);
  load(core, start, stored);
  apply_outputs();
  sockets_.read_monitor();  // a socket's descriptor tells nothing before it was found empty once
  while (!stopping_) turn(core, core.next_deadline());
  if (trace_ != nullptr) trace_->finish();
  look_after_trace();
}

void BrokerLoop::load(BrokerCore& core, Instant now, const StoredState& stored) {
  if (trace_ != nullptr) trace_->add(serialize(TraceLoad{now}));
  const OutputsMark before = mark_of(outputs_);
  core.load(now, stored, outputs_);
  if (trace_ != nullptr) trace_->add(serialize(digest_since(before, outputs_)));
}

void BrokerLoop::step(BrokerCore& core, Instant now, Input input) {
  if (trace_ == nullptr) return core.step(now, std::move(input), outputs_);
  trace_->add(serialize_input(now, input));
  const OutputsMark before = mark_of(outputs_);
  core.step(now, std::move(input), outputs_);
  trace_->add(serialize(digest_since(before, outputs_)));
}

void BrokerLoop::turn(BrokerCore& core, Instant planned) {
  const Ready ready = wait(planned);
  const Instant now = monotonic_now();
  set_calendar(core, now);
  const Duration lateness = now - std::max(planned, last_turn_);
  if (lateness > kLatenessMin) step(core, now, input::Stalled{lateness});
  last_turn_ = now;
  for (input::SendFailed& failed : std::exchange(failed_sends_, {})) step(core, now, std::move(failed));
  if (ready.monitor) sockets_.read_monitor();
  take_disconnected(core, now);
  take_messages(core, now);
  if (ready.feed || feed_undrained_) take_feed(core, now);
  if (ready.store) take_store(core, now);
  step(core, now, input::Tick{busy_, std::max(lateness, Duration{})});
  apply_outputs();
  look_after_trace();
  busy_ = monotonic_now() - now;
  stopping_ = ready.signal;
}

BrokerLoop::Ready BrokerLoop::wait(Instant planned) {
  // Asking costs system calls, and turns are what a busy broker does most. Where messages were, more of them are likely; and a
  // send may have taken from libzmq the sign that one came. They are tried for without asking, a few times.
  const bool work_left = undrained_ || feed_undrained_ || sockets_.has_disconnected() || !failed_sends_.empty();
  if (work_left && ++turns_without_poll_ < kTurnsWithoutPollMax) return {};
  turns_without_poll_ = 0;
  poller_.clear();
  poller_.add_drained(sockets_.bus().handle());
  const std::size_t feed = poller_.add_drained(sockets_.feed().handle());
  const std::size_t monitor = poller_.add_drained(sockets_.monitor_handle());
  const std::size_t store = poller_.add_fd(store_.event_fd(), POLLIN);
  const std::size_t signal = poller_.add_fd(signal_fd_, POLLIN);
  poller_.wait(work_left ? Duration{} : planned - monotonic_now());
  return {poller_.ready(feed), poller_.ready(monitor), poller_.ready(store), poller_.ready(signal)};
}

void BrokerLoop::take_disconnected(BrokerCore& core, Instant now) {
  for (wire::RoutingId& peer : sockets_.take_disconnected()) {
    step(core, now, input::Disconnected{std::move(peer)});
  }
}

void BrokerLoop::take_messages(BrokerCore& core, Instant now) {
  std::size_t bytes = 0;
  int taken = 0;
  undrained_ = true;
  for (; taken < kMessagesPerTurnMax && bytes < kBytesPerTurnMax; ++taken) {
    if (taken % kMessagesPerFlush == 0) apply_outputs();
    net::Received received = sockets_.receive();
    if (received.outcome == net::ReceiveOutcome::kNothing) {
      undrained_ = false;
      break;
    }
    if (received.outcome == net::ReceiveOutcome::kTooLarge) {
      step(core, now, input::TooLarge{std::move(received.peer)});
      continue;
    }
    bytes += wire::total_bytes(received.frames);
    step(core, now, input::Received{std::move(received.peer), std::move(received.frames)});
  }
}

void BrokerLoop::take_feed(BrokerCore& core, Instant now) {
  for (int i = 0; i < kFeedMessagesPerTurnMax; ++i) {
    net::Received received = sockets_.feed().receive();
    feed_undrained_ = received.outcome != net::ReceiveOutcome::kNothing;
    if (!feed_undrained_) return;
    // One that was too large has lost its frames: it is counted as what it is, no subscription.
    step(core, now, input::FeedReceived{std::move(received.frames)});
  }
}

void BrokerLoop::take_store(BrokerCore& core, Instant now) {
  for (StoreDone& done : store_.drain()) {
    step(core, now, input::StoreDone{done.commit_id, std::move(done.outcome)});
  }
}

void BrokerLoop::set_calendar(BrokerCore& core, Instant now) {
  const std::int64_t offset = unix_now().ms - now.ns() / 1'000'000;
  if (std::llabs(offset - unix_ms_at_origin_) <= kCalendarJumpMs) return;
  unix_ms_at_origin_ = offset;
  step(core, now, input::CalendarSet{offset});
}

void BrokerLoop::apply_outputs() {
  for (StoreWrite& write : outputs_.store_writes) store_.submit(std::move(write));
  undrained_ |= !outputs_.sends.empty();
  for (Send& send : outputs_.sends) {
    const net::SendOutcome outcome = sockets_.bus().send(send.peer, std::move(send.frames));
    if (outcome == net::SendOutcome::kSent) continue;
    failed_sends_.push_back(input::SendFailed{std::move(send.peer), error_of(outcome), send.request});
  }
  feed_undrained_ |= !outputs_.publishes.empty();
  for (wire::Frames& frames : outputs_.publishes) sockets_.feed().publish(std::move(frames));
  for (const LogEvent& event : outputs_.log) logger_.write(event);
  outputs_.clear();
}

void BrokerLoop::look_after_trace() {
  if (trace_ == nullptr) return;
  const std::optional<std::string> failure = trace_->take_failure();
  if (!failure) return;
  logger_.write(LogEvent(Severity::kError, "trace.failed").with("why", *failure));
  trace_ = nullptr;
}

}  // namespace compositord::broker
