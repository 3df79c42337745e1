#include "broker/io/broker_loop.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "broker/io/notification_of.h"
#include "common/base/check.h"
#include "common/base/clock.h"

namespace compositord::broker {

namespace {

// Bounds of one turn, so that timers and the store are looked at in between however much comes in.
constexpr int kMessagesPerTurnMax = 256;
constexpr std::size_t kBytesPerTurnMax = 16U << 20U;
// After so many, what they have caused is sent: their receivers shall work on it while the turn goes on.
constexpr int kMessagesPerFlush = 32;
// So many turns with messages may follow each other before everything else is looked at.
constexpr int kTurnsWithoutWaitMax = 8;
constexpr int kFeedMessagesPerTurnMax = 1'024;
constexpr int kLastTurns = 4;
// How long who waits for the disk waits for it when the broker ends.
constexpr Duration kLastCommitsMax = std::chrono::seconds(2);
// How often what is wrong with connections is looked for.
constexpr Duration kSocketsLookInterval = std::chrono::seconds(1);
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

BrokerLoop::BrokerLoop(BusSockets& sockets, StoreThread& store, log::Logger& logger, int signal_fd, TraceWriter* trace,
                       std::unique_ptr<Notifiers> notifiers, ConfigReloader* reloader)
    : sockets_(sockets),
      store_(store),
      logger_(logger),
      signal_fd_(signal_fd),
      trace_(trace),
      notifiers_(std::move(notifiers)),
      reloader_(reloader),
      feed_fd_(sockets.feed().fd()) {
  watch(feed_fd_);
  watch(store_.event_fd());
  watch(signal_fd_);
  if (notifiers_ != nullptr) watch(notifiers_->event_fd());
  if (reloader_ == nullptr) return;
  watch(reloader_->event_fd());
  if (reloader_->hangup_fd() >= 0) watch(reloader_->hangup_fd());
}

// One that is closed is forgotten.
void BrokerLoop::watch(int fd) { CHECK(sockets_.epoll().add(fd, EPOLLIN)); }

void BrokerLoop::run(BrokerCore& core, const StoredState& stored) {
  const Instant start = monotonic_now();
  last_turn_ = start;
  set_calendar(core, start);
  load(core, start, stored);
  apply_outputs();
  while (!stopping_) turn(core, core.next_deadline());
  end_requests(core);
  stop_notifiers(core);
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
  for (input::NoticeDone& done : std::exchange(done_notices_, {})) step(core, now, std::move(done));
  take_messages(core, now);
  if (ready.feed || feed_undrained_) take_feed(core, now);
  if (ready.store) take_store(core, now);
  if (ready.notified) take_notified(core, now);
  if (ready.hangup) reloader_->take_hangup();
  if (ready.reloaded || !refused_reloads_.empty()) take_reloaded(core, now);
  look_after_sockets(core, now);
  step(core, now, input::Tick{busy_, std::max(lateness, Duration{})});
  apply_outputs();
  look_after_trace();
  busy_ = monotonic_now() - now;
  stopping_ = ready.signal;
}

BrokerLoop::Ready BrokerLoop::wait(Instant planned) {
  // Asking costs a system call, and turns are what a busy broker does most: what has been read is done first, a few times.
  const bool unread = sockets_.bus().has_more();
  if (unread && ++turns_without_wait_ < kTurnsWithoutWaitMax) return {};
  const bool work_left =
      unread || feed_undrained_ || !failed_sends_.empty() || !done_notices_.empty() || !refused_reloads_.empty();
  turns_without_wait_ = 0;
  Ready ready;
  for (const net::Epoll::Ready& one : sockets_.epoll().wait(work_left ? Duration{} : planned - monotonic_now())) {
    if (sockets_.bus().owns(one.fd)) {
      sockets_.bus().take(one);
    } else if (one.fd == feed_fd_) {
      ready.feed = true;
    } else if (one.fd == store_.event_fd()) {
      ready.store = true;
    } else if (one.fd == signal_fd_) {
      ready.signal = true;
    } else if (reloader_ != nullptr && one.fd == reloader_->event_fd()) {
      ready.reloaded = true;
    } else if (reloader_ != nullptr && one.fd == reloader_->hangup_fd()) {
      ready.hangup = true;
    } else {
      ready.notified = true;
    }
  }
  return ready;
}

void BrokerLoop::take_messages(BrokerCore& core, Instant now) {
  std::size_t bytes = 0;
  for (int taken = 0; taken < kMessagesPerTurnMax && bytes < kBytesPerTurnMax; ++taken) {
    if (taken % kMessagesPerFlush == 0) apply_outputs();
    net::RouterEvent event = sockets_.bus().next(now);
    if (event.kind == net::RouterEvent::Kind::kNothing) return;
    bytes += take(core, now, std::move(event));
  }
}

// Its bytes.
std::size_t BrokerLoop::take(BrokerCore& core, Instant now, net::RouterEvent&& event) {
  using Kind = net::RouterEvent::Kind;
  const std::size_t bytes = wire::total_bytes(event.frames);
  if (event.kind == Kind::kMessage) step(core, now, input::Received{std::move(event.peer), std::move(event.frames)});
  if (event.kind == Kind::kTooLarge) step(core, now, input::TooLarge{std::move(event.peer)});
  if (event.kind == Kind::kClosed) step(core, now, input::Disconnected{std::move(event.peer)});
  if (event.kind == Kind::kRefused) step(core, now, input::ConnectionRefused{std::move(event.text)});
  return bytes;
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
  for (StoreFileNews& news : store_.drain_file_news()) step(core, now, std::move(news));
  for (StoreDone& done : store_.drain()) {
    step(core, now, input::StoreDone{done.commit_id, std::move(done.outcome)});
  }
  for (StoreReadDone& done : store_.drain_reads()) {
    step(core, now, input::StoreAnswered{done.read_id, std::move(done.outcome)});
  }
}

// When all who want it have been told, or nobody wants it, the core may forget that they were to be.
void BrokerLoop::notify(const msg::Alert& alert) {
  const Notification notification = notification_of(alert);
  const std::size_t receivers = notifiers_ == nullptr ? 0 : notifiers_->receivers(notification).size();
  input::NoticeDone done{alert.alert, alert.change};
  if (receivers == 0) return done_notices_.push_back(std::move(done));
  open_notices_.insert_or_assign(notification.dedupe, OpenNotice{std::move(done), receivers});
  notifiers_->submit(notification);
}

void BrokerLoop::take_notified(BrokerCore& core, Instant now) {
  if (notifiers_ != nullptr) take_delivered(*notifiers_, core, now);
  for (const auto& notifiers : retired_) take_delivered(*notifiers, core, now);
  std::erase_if(retired_, [](const auto& notifiers) { return notifiers->is_idle(); });
}

void BrokerLoop::take_delivered(Notifiers& notifiers, BrokerCore& core, Instant now) {
  for (Delivered& one : notifiers.drain()) {
    const auto open = open_notices_.find(one.dedupe);
    if (open != open_notices_.end() && --open->second.receivers == 0) {
      done_notices_.push_back(std::move(open->second.done));
      open_notices_.erase(open);
    }
    step(
        core, now,
        input::NoticeEnded{std::move(one.dedupe), std::move(one.notifier), one.ok, one.attempts, std::move(one.error)});
  }
}

// What has come in by now is still taken, as far as it fits into a few turns. Then whoever waits for an answer gets one: of the store's
// what it still has to say, as far as the disk answers in time.
void BrokerLoop::end_requests(BrokerCore& core) {
  for (int i = 0; i < kLastTurns; ++i) turn(core, monotonic_now());
  Instant now = monotonic_now();
  step(core, now, input::Stopping{});
  apply_outputs();
  for (const Instant until = now + kLastCommitsMax; core.awaits_store() && now < until; now = monotonic_now()) {
    pollfd stored{store_.event_fd(), POLLIN, 0};
    ::poll(&stored, 1, static_cast<int>(to_ms(until - now)) + 1);
    take_store(core, monotonic_now());
    apply_outputs();
  }
}

// What they have done until now is still told to the core, and so to the store: it need not be done again.
void BrokerLoop::stop_notifiers(BrokerCore& core) {
  if (notifiers_ == nullptr && retired_.empty()) return;
  bool all_ended = notifiers_ == nullptr || notifiers_->stop();
  for (const auto& notifiers : retired_) all_ended = notifiers->stop() && all_ended;
  if (!all_ended) logger_.write(LogEvent(Severity::kWarning, "notify.hanging"));
  const Instant now = monotonic_now();
  take_notified(core, now);
  for (input::NoticeDone& done : std::exchange(done_notices_, {})) step(core, now, std::move(done));
  apply_outputs();
}

void BrokerLoop::ask_reloads() {
  for (const std::uint64_t reload : std::exchange(outputs_.reloads, {})) {
    if (reloader_ != nullptr) {
      reloader_->ask(reload);
    } else {
      refused_reloads_.push_back({reload, fail(Status::kConflict, "this broker has no configuration file")});
    }
  }
}

void BrokerLoop::take_reloaded(BrokerCore& core, Instant now) {
  for (input::Reloaded& refused : std::exchange(refused_reloads_, {})) step(core, now, std::move(refused));
  if (reloader_ == nullptr) return;
  for (ConfigReloader::Done& done : reloader_->drain()) {
    if (!done.result) {
      step(core, now, input::Reloaded{done.reload_id, tl::unexpected<Error>(done.result.error())});
      continue;
    }
    ConfigReloader::Read& read = *done.result;
    for (const LogEvent& event : read.log) logger_.write(event);
    if (read.notifiers_changed) {
      if (notifiers_ != nullptr && !notifiers_->is_idle()) retired_.push_back(std::move(notifiers_));
      notifiers_ = std::move(read.notifiers);
      if (notifiers_ != nullptr) watch(notifiers_->event_fd());
    }
    step(core, now, input::Reloaded{done.reload_id, std::move(read.taken)});
  }
}

// That the level was changed is said whatever it was and is.
void BrokerLoop::write_log() {
  if (!outputs_.log_levels.empty()) logger_.set_threshold(Severity::kInfo);
  for (const LogEvent& event : outputs_.log) logger_.write(event);
  if (!outputs_.log_levels.empty()) logger_.set_threshold(outputs_.log_levels.back());
}

void BrokerLoop::set_calendar(BrokerCore& core, Instant now) {
  const std::int64_t offset = unix_now().ms - now.ns() / 1'000'000;
  if (std::llabs(offset - unix_ms_at_origin_) <= kCalendarJumpMs) return;
  unix_ms_at_origin_ = offset;
  step(core, now, input::CalendarSet{offset});
}

void BrokerLoop::apply_outputs() {
  if (!outputs_.store_writes.empty()) store_.submit(std::exchange(outputs_.store_writes, {}));
  for (StoreRead& read : outputs_.store_reads) store_.submit(std::move(read));
  for (Send& send : outputs_.sends) {
    const net::SendOutcome outcome = sockets_.bus().send(send.peer, std::move(send.frames));
    if (outcome == net::SendOutcome::kSent) continue;
    failed_sends_.push_back(input::SendFailed{std::move(send.peer), error_of(outcome), send.request});
  }
  sockets_.bus().flush();
  feed_undrained_ |= !outputs_.publishes.empty();
  for (wire::Frames& frames : outputs_.publishes) {
    feed_overflows_ += sockets_.feed().publish(std::move(frames)) == net::SendOutcome::kFull ? 1U : 0U;
  }
  for (const msg::Alert& alert : outputs_.notices) notify(alert);
  ask_reloads();
  write_log();
  outputs_.clear();
}

// Of the feed libzmq tells of a full queue once, and then passes its subscriber over until it reads: that it still does not, its connection
// shows, which takes nothing any more.
void BrokerLoop::look_after_sockets(BrokerCore& core, Instant now) {
  if (now - sockets_looked_at_ < kSocketsLookInterval) return;
  sockets_looked_at_ = now;
  sockets_.bus().look_after_connections(now);
  const net::RouterLoad load = sockets_.bus().load();
  const input::BusLoad bus_load{load.connections, load.send_bytes, load.incoming_bytes};
  if (bus_load != bus_load_) step(core, now, bus_load_ = bus_load);
  sockets_.read_feed_monitor();
  if (feed_overflows_ == 0 && !feed_blocked_) return;
  BusSockets::Blocked blocked = sockets_.blocked_subscribers();
  feed_blocked_ = blocked.count > 0;
  if (feed_overflows_ == 0 && !feed_blocked_) return;
  step(core, now, input::FeedDropped{std::exchange(feed_overflows_, 0), blocked.count, std::move(blocked.peers)});
}

void BrokerLoop::look_after_trace() {
  if (trace_ == nullptr) return;
  const std::optional<std::string> failure = trace_->take_failure();
  if (!failure) return;
  logger_.write(LogEvent(Severity::kError, "trace.failed").with("why", *failure));
  trace_ = nullptr;
}

}  // namespace compositord::broker
