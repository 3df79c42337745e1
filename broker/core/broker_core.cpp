#include "broker/core/broker_core.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "broker/core/alert_texts.h"
#include "broker/core/mmi.h"
#include "broker/core/titanic.h"
#include "common/base/check.h"
#include "common/wire/mdp_codec.h"

namespace compositord::broker {

namespace {

constexpr Duration kBusTickInterval = std::chrono::seconds(1);
constexpr Duration kStatsInterval = std::chrono::seconds(10);
// How often it is put on record that this broker lives, and how often old history is forgotten.
constexpr Duration kAliveInterval = std::chrono::minutes(1);
constexpr Duration kForgetInterval = std::chrono::hours(1);
// After so long without a loss the feed's subscribers keep up again.
constexpr Duration kFeedCalmAfter = std::chrono::seconds(10);
constexpr std::size_t kPendingCommitsMax = 10'000;
constexpr std::size_t kQuestionBytesMax = std::size_t{256} * 1024;

// Of what there is a limit.
struct Queue {
  std::string_view name;
  std::size_t count;
  std::size_t max;
};

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

// Of what may have to wait for the store, without the attachments, which no question has.
std::size_t question_bytes(const Client& client, const wire::Frames& body) {
  if (client.service != "bus.status" && client.service != "bus.manifest") return 0;
  return body[0].size() + (body.size() > 1 ? body[1].size() : 0);
}

}  // namespace

BrokerCore::BrokerCore(BrokerConfig config, std::uint64_t epoch)
    : config_(std::move(config)),
      feed_(epoch, config_.limits, counters_),
      majordomo_(config_, epoch, timers_, counters_, latencies_),
      alerts_(config_.alerts, feed_, timers_, commit_ids_, counters_, epoch),
      compositors_(config_, feed_, alerts_, commit_ids_),
      jobs_(config_, majordomo_, timers_, counters_, commit_ids_, epoch),
      group_calls_(config_, majordomo_, compositors_, counters_),
      idempotent_calls_(config_, counters_),
      log_level_(severity_from_name(config_.log_level).value_or(Severity::kInfo)) {}

void BrokerCore::load(Instant now, const StoredState& stored, Outputs& out) {
  alerts_.load(stored.alerts, stored.windows, both(now), out);
  compositors_.load(stored.compositors, both(now), out);
  jobs_.load(stored.jobs, both(now), out);
  run_.epoch = stored.epoch;
  run_.started_at = unix_at(now);
  store_run(now, out);
  timers_.arm(now, TimerKind::kBusTick, 0);
  timers_.arm(now + kStatsInterval, TimerKind::kBusStats, 0);
}

void BrokerCore::step(Instant now, Input input, Outputs& out) {
  const std::size_t logged = out.log.size();
  std::visit([&](auto& i) { on(i, now, out); }, input);
  settle(now, out);
  if (out.log.size() > logged) limit_log(logged, out);
}

Instant BrokerCore::next_deadline() const noexcept { return timers_.next(); }

bool BrokerCore::awaits_store() const noexcept {
  return !pending_commits_.empty() || !pending_reads_.empty() || jobs_.awaits_store();
}

UnixMs BrokerCore::unix_at(Instant now) const noexcept { return UnixMs{unix_ms_at_origin_ + now.ns() / 1'000'000}; }

// ---- inputs

void BrokerCore::on(input::Received& received, Instant now, Outputs& out) {
  ++counters_.messages_received;
  majordomo_.heard(received.peer, now);
  Result<wire::Parsed<wire::ToBroker>> parsed = wire::parse_at_broker(std::move(received.frames));
  if (!parsed) {
    ++counters_.messages_malformed;
    out.log.push_back(LogEvent(Severity::kWarning, "message.malformed")
                          .with("peer", hex(received.peer.value()))
                          .with("why", parsed.error().text));
    return;
  }
  const wire::RoutingId& peer = received.peer;
  const wire::Dialect& dialect = parsed->dialect;
  const auto handle = Overloaded{[&](wire::mdp::ClientRequest& m) {
                                   ++counters_.requests_received;
                                   on_request(peer, dialect, std::move(m), now, out);
                                 },
                                 [&](wire::mdp::WorkerReady& m) {
                                   ++counters_.readies_received;
                                   majordomo_.on_ready(peer, dialect, m.service, now, out);
                                 },
                                 [&](wire::mdp::WorkerReply& m) {
                                   ++(m.final ? counters_.finals_received : counters_.partials_received);
                                   majordomo_.on_reply(peer, dialect, std::move(m), now, out);
                                 },
                                 [&](wire::mdp::Heartbeat&) {
                                   ++counters_.heartbeats_received;
                                   majordomo_.on_heartbeat(peer, dialect, now, out);
                                 },
                                 [&](wire::mdp::Disconnect&) {
                                   ++counters_.disconnects_received;
                                   majordomo_.on_disconnect(peer, now, out);
                                 }};
  std::visit(handle, parsed->message);
}

void BrokerCore::on(input::TooLarge& rejected, Instant, Outputs& out) {
  ++counters_.messages_too_large;
  out.log.push_back(LogEvent(Severity::kWarning, "message.too_large").with("peer", hex(rejected.peer.value())));
}

void BrokerCore::on(input::ConnectionRefused& refused, Instant, Outputs& out) {
  ++counters_.connections_refused;
  out.log.push_back(LogEvent(Severity::kWarning, "connection.refused").with("why", refused.why));
}

void BrokerCore::on(input::BusLoad& load, Instant, Outputs&) { bus_load_ = load; }

void BrokerCore::on(input::SendFailed& failed, Instant now, Outputs& out) {
  if (failed.error == SendError::kFull) {
    ++counters_.sends_full;
    out.log.push_back(LogEvent(Severity::kWarning, "send.dropped").with("peer", hex(failed.peer.value())));
  }
  majordomo_.send_failed(failed.peer, failed.error == SendError::kUnreachable, failed.request, now, out);
}

void BrokerCore::on(input::Disconnected& disconnected, Instant now, Outputs& out) {
  majordomo_.disconnected(disconnected.peer, now, out);
}

void BrokerCore::on(input::FeedReceived& received, Instant now, Outputs& out) {
  if (feed_.on_received(received.frames, unix_at(now), out)) return;
  ++counters_.feed_messages_malformed;
  out.log.push_back(
      LogEvent(Severity::kWarning, "feed.malformed").with("frames", std::to_string(received.frames.size())));
}

void BrokerCore::on(input::FeedDropped& dropped, Instant now, Outputs& out) {
  counters_.feed_overflows += dropped.overflows;
  if (!slow_feed_.is_slow) slow_feed_ = SlowFeed{true, now, now, 0, counters_.feed_published};
  slow_feed_.last = now;
  slow_feed_.overflows += dropped.overflows;
  std::string seen = fmt::format("a queue was full {} times in {:.0f} s, and {} messages were published meanwhile",
                                 slow_feed_.overflows, std::chrono::duration<double>(now - slow_feed_.since).count(),
                                 counters_.feed_published - slow_feed_.published_before);
  if (dropped.blocked > 0) {
    seen += fmt::format("; {} take nothing now: {}{}", dropped.blocked, fmt::join(dropped.peers, ", "),
                        dropped.blocked > dropped.peers.size() ? ", …" : "");
  }
  const Fault fault{{},
                    msg::Verdict::kDegraded,
                    "subscribers of the feed do not keep up; they lose messages",
                    msg::AlertKind::kSlowSubscriber};
  alerts_.raise(kBusItself, "feed", fault, {}, seen, both(now), out);
}

void BrokerCore::watch_feed(Instant now, Outputs& out) {
  if (slow_feed_.is_slow && now - slow_feed_.last < kFeedCalmAfter) return;
  slow_feed_.is_slow = false;
  // Each time anew: one that comes and goes ends by many good looks, and one of an earlier run by the first.
  alerts_.clear(kBusItself, "feed", both(now), out);
}

void BrokerCore::on(input::StoreDone& done, Instant now, Outputs& out) {
  const auto it = pending_commits_.find(done.commit_id);
  if (!done.result) {
    ++counters_.store_failures;
    out.log.push_back(LogEvent(Severity::kError, "store.failed").with("why", done.result.error().text));
  }
  watch_store(done.result, both(now), out);
  alerts_.on_stored(done.commit_id, both(now), out);
  jobs_.on_stored(done.commit_id, done.result, both(now), out);
  compositors_.on_stored(done.commit_id, done.result.has_value());
  if (it == pending_commits_.end()) return;
  PendingCommit pending = std::move(it->second);
  pending_commits_.erase(it);
  if (!pending.compositor.empty()) compositors_.set_stored(pending.compositor, done.result.has_value());
  if (!done.result) {
    pending.reply.header.status = to_number(Status::kStore);
    pending.reply.header.error =
        "it is in memory and answered from there, but not on disk: " + done.result.error().text;
  }
  send_reply(pending.client, pending.reply, counters_, out);
}

void BrokerCore::on(input::NoticeEnded& ended, Instant, Outputs& out) {
  ++(ended.delivered ? counters_.notices_delivered : counters_.notices_failed);
  LogEvent event =
      ended.delivered ? LogEvent(Severity::kDebug, "notify.delivered") : LogEvent(Severity::kError, "notify.failed");
  event.with("notifier", std::move(ended.notifier)).with("notice", std::move(ended.dedupe));
  event.with("attempts", std::to_string(ended.attempts));
  if (!ended.delivered) event.with("why", std::move(ended.error));
  out.log.push_back(std::move(event));
}

void BrokerCore::on(input::NoticeDone& done, Instant, Outputs& out) {
  alerts_.on_notice_done(done.alert, done.change, out);
}

void BrokerCore::on(input::StoreAnswered& answered, Instant now, Outputs& out) {
  const auto it = pending_reads_.find(answered.read_id);
  if (it == pending_reads_.end()) return;
  const PendingRead pending = std::move(it->second);
  pending_reads_.erase(it);
  const msg::Call& call = pending.call;
  if (!answered.result) {
    const Error& error = answered.result.error();
    return refuse(pending.client, call.encoding, call.header.id,
                  Error{error.status, "the history can't be read: " + error.text}, out);
  }
  const Depths full = depths();
  const BusContext bus = context(full, now);
  const bool manifests = pending.client.service == "bus.manifest";
  answer(pending.client, call,
         manifests ? answer_manifest_call(bus, call, *answered.result)
                   : answer_history_call(bus, call, pending.query, *answered.result),
         out);
}

void BrokerCore::on(input::CalendarSet& calendar, Instant now, Outputs& out) {
  unix_ms_at_origin_ = calendar.unix_ms_at_origin;
  if (alerts_.windows_changed(both(now), out)) compositors_.judge_all(both(now), out);
  compositors_.judge_broker_clock(both(now), out);
}

void BrokerCore::on(input::Stalled& stalled, Instant now, Outputs& out) {
  // Smaller delays are within what liveness forgives; and shifting costs a walk over all timers.
  if (stalled.lateness <= majordomo_.shortest_interval() / 2) return;
  ++counters_.stalls;
  timers_.shift_all(stalled.lateness);
  majordomo_.stalled(stalled.lateness);
  alerts_.stalled(stalled.lateness, both(now));
  out.log.push_back(
      LogEvent(Severity::kWarning, "loop.stalled").with("late_ms", std::to_string(to_ms(stalled.lateness))));
}

void BrokerCore::on(input::Tick& tick, Instant now, Outputs& out) {
  latencies_.turn(tick.busy, tick.late);
  while (const std::optional<Timer> timer = timers_.pop_due(now)) {
    if (timer->kind == TimerKind::kBusTick) {
      bus_tick(now, out);
    } else if (timer->kind == TimerKind::kBusStats) {
      bus_stats(now, out);
    } else if (timer->kind == TimerKind::kAlert || timer->kind == TimerKind::kAlertJournal) {
      on_alert_timer(timer->kind, now, out);
    } else if (timer->kind == TimerKind::kJobEnd || timer->kind == TimerKind::kJobRetry) {
      jobs_.on_timer(*timer, both(now), out);
    } else {
      majordomo_.on_timer(*timer, now, out);
    }
  }
}

void BrokerCore::on(input::Stopping&, Instant now, Outputs& out) {
  jobs_.stop(both(now), out);
  group_calls_.stop();
  majordomo_.stop(now, out);
  end_reloads(kNever, {Status::kNotConnected, "the broker is being stopped; the next one reads the configuration"},
              out);
}

void BrokerCore::on_alert_timer(TimerKind kind, Instant now, Outputs& out) {
  if (alerts_.on_timer(kind, both(now), out)) compositors_.judge_all(both(now), out);
}

void BrokerCore::watch_store(const Result<void>& result, Now now, Outputs& out) {
  if (result) return alerts_.clear(kBusItself, "store", now, out);
  const Fault fault{{},
                    msg::Verdict::kDown,
                    "the store can't be written; the bus goes on from memory",
                    msg::AlertKind::kStoreTrouble};
  alerts_.raise(kBusItself, "store", fault, {}, result.error().text, now, out);
}

void BrokerCore::watch_queues(Now now, Outputs& out) {
  const Depths full = depths();
  const Limits& limits = config_.limits;
  const std::array<Queue, 4> queues{{{"open requests", full.open_requests, limits.open_requests_max},
                                     {"bytes that wait", full.waiting_bytes, limits.queued_bytes_max},
                                     {"jobs", full.jobs, limits.jobs_max},
                                     {"bytes of jobs", full.job_bytes, limits.job_bytes_max}}};
  std::string fullest;
  for (const Queue& queue : queues) {
    if (queue.count < queue.max / 10 * 9) continue;
    fullest += fmt::format("{}{} of {} {}", fullest.empty() ? "" : ", ", queue.count, queue.max, queue.name);
  }
  if (fullest.empty()) return alerts_.clear(kBusItself, "queue", now, out);
  const Fault fault{{},
                    msg::Verdict::kDegraded,
                    "the broker's queues are nearly full; it will refuse requests (429)",
                    msg::AlertKind::kQueueFull};
  alerts_.raise(kBusItself, "queue", fault, {}, fullest, now, out);
}

void BrokerCore::bus_tick(Instant now, Outputs& out) {
  timers_.arm(now + kBusTickInterval, TimerKind::kBusTick, 0);
  idempotent_calls_.forget_old(now);
  watch_queues(both(now), out);
  watch_feed(now, out);
  end_reloads(now, {Status::kDeadline, "the configuration was not read in time; it may still be taken"}, out);
  compositors_.judge_broker_clock(both(now), out);
  feed_.publish(FeedKind::kBus, "tick", msg::Value::map({{"epoch", feed_.epoch()}, {"seqs", feed_.seqs()}}),
                unix_at(now), out);
  for (const LogBudget::LeftOut& left_out : log_budget_.renew()) {
    out.log.push_back(LogEvent(Severity::kWarning, "log.suppressed")
                          .with("of", std::string(left_out.kind))
                          .with("events", std::to_string(left_out.events)));
  }
}

void BrokerCore::bus_stats(Instant now, Outputs& out) {
  timers_.arm(now + kStatsInterval, TimerKind::kBusStats, 0);
  latencies_.end_interval();
  if (now - run_stored_at_ >= kAliveInterval) store_run(now, out);
  feed_.publish(FeedKind::kBus, "stats", describe_stats(feed_, counters_, latencies_, depths()), unix_at(now), out);
}

void BrokerCore::store_run(Instant now, Outputs& out) {
  constexpr std::int64_t kDayMs = std::int64_t{24} * 3'600 * 1'000;
  run_stored_at_ = now;
  run_.alive_at = unix_at(now);
  BrokerRun run = run_;
  if (now >= forget_at_) {
    forget_at_ = now + kForgetInterval;
    run.forget_before = UnixMs{run.alive_at.ms - config_.history_days * kDayMs};
    run.changes_max = config_.limits.status_changes_max;
  }
  out.store_writes.push_back(StoreWrite{0, run});
}

Depths BrokerCore::depths() const {
  Depths depths;
  depths.open_requests = majordomo_.open_requests();
  depths.waiting_bytes = majordomo_.waiting_bytes();
  depths.pending_commits = pending_commits_.size();
  depths.pending_reads = pending_reads_.size();
  depths.jobs = jobs_.size();
  depths.job_bytes = jobs_.bytes();
  depths.idem_calls = idempotent_calls_.size();
  depths.idem_bytes = idempotent_calls_.bytes();
  depths.group_calls = group_calls_.size();
  depths.group_bytes = group_calls_.bytes();
  depths.workers = majordomo_.worker_count();
  depths.services = majordomo_.service_count();
  depths.compositors = compositors_.size();
  depths.alerts = alerts_.active().size();
  depths.timers = timers_.size();
  depths.bus = bus_load_;
  return depths;
}

void BrokerCore::limit_log(std::size_t first, Outputs& out) {
  const auto over = [this](const LogEvent& event) {
    const bool left_out = !log_budget_.take(event);
    counters_.log_events_suppressed += left_out ? 1U : 0U;
    return left_out;
  };
  out.log.erase(std::remove_if(out.log.begin() + static_cast<std::ptrdiff_t>(first), out.log.end(), over),
                out.log.end());
}

void BrokerCore::settle(Instant now, Outputs& out) {
  // Each round answers what the one before has caused. A request that fails at once is not tried again at once, so this ends.
  while (majordomo_.has_news()) {
    std::vector<LinkChange> links = majordomo_.take_link_changes();
    std::vector<Outcome> outcomes = majordomo_.take_outcomes();
    const std::vector<std::string> ready = majordomo_.take_ready_services();
    for (const LinkChange& change : links) {
      compositors_.set_link(change.id, change.link, change.why, unix_at(change.last_heard), both(now), out);
    }
    for (Outcome& outcome : outcomes) tell_outcome(std::move(outcome), now, out);
    for (const std::string& service : ready) jobs_.wake(service, both(now), out);
  }
}

void BrokerCore::tell_outcome(Outcome&& outcome, Instant now, Outputs& out) {
  switch (outcome.origin) {
    case Origin::kJob: return jobs_.on_outcome(std::move(outcome), both(now), out);
    case Origin::kGroupCall: return group_calls_.on_outcome(std::move(outcome), now, out);
    case Origin::kIdempotentCall: return idempotent_calls_.on_outcome(std::move(outcome), now, out);
    case Origin::kPeer: CHECK(false);  // a peer is answered by Majordomo itself
  }
}

// ---- requests

void BrokerCore::on_request(const wire::RoutingId& peer, const wire::Dialect& dialect,
                            wire::mdp::ClientRequest&& request, Instant now, Outputs& out) {
  Client client;
  client.peer = peer;
  client.dialect = dialect;
  client.service = std::move(request.service);
  if (client.service.starts_with("mmi."))
    return answer_mmi(client, std::move(request.body), majordomo_, counters_, out);
  if (client.service.starts_with(kTitanicPrefix)) {
    return answer_titanic(client, std::move(request.body), config_, jobs_, both(now), counters_, out);
  }
  if (client.service.starts_with("bus.")) return call_bus_service(client, request.body, now, out);
  if (client.service.starts_with(msg::kCompositorServicePrefix)) {
    return call_compositor(std::move(client), std::move(request.body), now, out);
  }
  call_foreign_service(std::move(client), std::move(request.body), now, out);
}

BusContext BrokerCore::context(const Depths& full, Instant now) {
  return BusContext{config_,   majordomo_, compositors_, alerts_,   jobs_,    feed_,
                    counters_, latencies_, full,         both(now), read_ids_};
}

void BrokerCore::call_bus_service(const Client& client, const wire::Frames& body, Instant now, Outputs& out) {
  const Result<msg::Call> call = msg::parse_call(body);
  if (!call) return refuse(client, msg::encoding_of(body), msg::Value(), call.error(), out);
  if (const std::size_t bytes = question_bytes(client, body); bytes > kQuestionBytesMax) {
    const Error error{Status::kTooLarge,
                      fmt::format("the question has {} bytes, more than {}", bytes, kQuestionBytesMax)};
    return refuse(client, call->encoding, call->header.id, error, out);
  }
  const Depths full = depths();
  const BusContext bus = context(full, now);
  if (client.service == "bus.agent") {
    answer(client, *call, call_agent_service(bus, client, *call, out), out);
    // An agent's news may be that its compositor is there again.
    const msg::CompositorId* id = call->header.method == "status" ? majordomo_.compositor_of(client.peer) : nullptr;
    if (id != nullptr) jobs_.wake(msg::service_name(*id), both(now), out);
    return;
  }
  if (client.service == "bus.group") return call_group(client, *call, both(now), out);
  if (client.service == "bus.job") return answer(client, *call, call_job_service(bus, *call, out), out);
  if (client.service == "bus.alert") {
    answer(client, *call, call_alert_service(bus, *call, out), out);
    // A window that was made or ended changes verdicts.
    if (alerts_.windows_changed(both(now), out)) compositors_.judge_all(both(now), out);
    return;
  }
  if (client.service == "bus.worker") return answer(client, *call, call_worker_service(bus, client, *call, out), out);
  if (client.service == "bus.manifest") return answer(client, *call, call_manifest_service(bus, *call, out), out);
  if (client.service == "bus.status") return answer(client, *call, call_status_service(bus, *call, out), out);
  if (client.service == "bus.admin") return call_admin(client, *call, bus, out);
  const Error error{Status::kNotFound, fmt::format("the bus has no service \"{}\" ({})",
                                                   escape_for_log(client.service, 64), fmt::join(kBusServices, ", "))};
  refuse(client, call->encoding, call->header.id, error, out);
}

void BrokerCore::answer(const Client& client, const msg::Call& call, const Result<Answer>& answer, Outputs& out) {
  if (!answer) return refuse(client, call.encoding, call.header.id, answer.error(), out);
  msg::Reply reply = msg::ok_reply(call, answer->result);
  reply.header.age_ms = answer->age_ms;
  reply.attachments = answer->attachments;
  reply.header.status = to_number(answer->status);
  reply.encoded = answer->encoded;
  if (answer->after_read) {
    PendingRead pending{client, call, out.store_reads.back().query};
    pending.call.attachments.clear();
    pending_reads_.emplace(*answer->after_read, std::move(pending));
    return;
  }
  if (!answer->after_commit) return send_reply(client, reply, counters_, out);
  if (pending_commits_.size() >= kPendingCommitsMax) {
    const Error error{Status::kLimit, "too many answers are waiting for the store; this change is in memory"};
    return refuse(client, call.encoding, call.header.id, error, out);
  }
  const msg::CompositorId* id = client.service == "bus.agent" ? majordomo_.compositor_of(client.peer) : nullptr;
  pending_commits_.emplace(*answer->after_commit,
                           PendingCommit{client, std::move(reply), id == nullptr ? std::string() : id->value()});
}

void BrokerCore::call_compositor(Client client, wire::Frames&& body, Instant now, Outputs& out) {
  const msg::Encoding encoding = msg::encoding_of(body);
  const Result<msg::RequestHeader> header = msg::parse_call_header(body);
  if (!header) return refuse(client, encoding, msg::Value(), header.error(), out);
  const auto refuse_with = [&](Status status, std::string text) {
    refuse(client, encoding, header->id, Error{status, std::move(text)}, out);
  };
  const Result<msg::CompositorId> id =
      msg::parse_compositor_id(std::string_view(client.service).substr(msg::kCompositorServicePrefix.size()));
  if (!id) return refuse_with(id.error().status, id.error().text);
  const Compositor* compositor = compositors_.find(id->value());
  if (compositor == nullptr) {
    return refuse_with(Status::kNotFound, fmt::format("no compositor {} has ever registered", id->value()));
  }
  // An outcome that is known is told without the agent.
  const bool known = header->idem && idempotent_calls_.knows(client.service, *header->idem);
  if (!majordomo_.has_agent(*id) && !is_for_a_job(client.service, *header) && !known) {
    const UnixMs seen = compositor->last_seen;
    return refuse_with(Status::kNotConnected,
                       fmt::format("the agent of {} is not connected; it was last seen {:.1f} s ago", id->value(),
                                   static_cast<double>(std::max<std::int64_t>(0, unix_at(now).ms - seen.ms)) / 1e3));
  }
  accept_call(std::move(client), *header, std::move(body), now, out);
}

void BrokerCore::call_foreign_service(Client client, wire::Frames&& body, Instant now, Outputs& out) {
  // A foreign body is opaque. Only one that reads as a whole call header is treated as a call.
  if (msg::looks_like_call(body)) {
    if (const Result<msg::RequestHeader> header = msg::parse_call_header(body)) {
      return accept_call(std::move(client), *header, std::move(body), now, out);
    }
  }
  majordomo_.route_plain(std::move(client), std::move(body), now, out);
}

// Under one key one of them is carried out: the second one joins the first, whichever of the two that is.
bool BrokerCore::is_for_a_job(const std::string& service, const msg::RequestHeader& header) {
  const bool queue = header.queue.value_or(false);
  if (!header.idem) return queue;
  return queue ? !idempotent_calls_.knows(service, *header.idem) : jobs_.knows(service, *header.idem);
}

void BrokerCore::accept_call(Client client, const msg::RequestHeader& header, wire::Frames&& body, Instant now,
                             Outputs& out) {
  CallMark call{msg::encoding_of(body), header.id};
  if (is_for_a_job(client.service, header)) {
    JobRequest wanted;
    wanted.service = client.service;
    wanted.method = header.method;
    wanted.body = std::move(body);
    const ServiceTerms terms = terms_of(config_.services, client.service, ServiceTerms{});
    wanted.idempotent = header.idempotent.value_or(terms.idempotent);
    wanted.idem = header.idem.value_or("");
    wanted.time_to_live = config_.job_time_to_live;
    if (header.ttl_ms) {
      wanted.time_to_live = std::chrono::milliseconds(std::min(*header.ttl_ms, to_ms(config_.job_time_to_live_max)));
    }
    wanted.deadline = deadline_of(header);
    return jobs_.submit(JobCaller{std::move(client), std::move(call)}, std::move(wanted), both(now), out);
  }
  if (header.idem) {
    const std::optional<std::uint64_t> first = idempotent_calls_.admit(client, call, *header.idem, body, out);
    if (!first) return;
    client.origin = Origin::kIdempotentCall;
    client.key = *first;
  }
  majordomo_.route_call(std::move(client), std::move(call), std::move(body), deadline_of(header), now, out);
}

void BrokerCore::call_group(const Client& client, const msg::Call& call, Now now, Outputs& out) {
  if (call.header.method != "call") {
    const Error error{Status::kNotFound,
                      fmt::format("bus.group has no method \"{}\" (call)", escape_for_log(call.header.method, 64))};
    return refuse(client, call.encoding, call.header.id, error, out);
  }
  const Result<void> begun = group_calls_.begin(client, call, deadline_of(call.header), now.instant, out);
  if (!begun) refuse(client, call.encoding, call.header.id, begun.error(), out);
}

Duration BrokerCore::deadline_of(const msg::RequestHeader& header) const {
  if (!header.deadline_ms) return config_.default_deadline;
  return std::chrono::milliseconds(std::min(*header.deadline_ms, to_ms(config_.deadline_max)));
}

void BrokerCore::refuse(const Client& client, msg::Encoding encoding, const msg::Value& id, const Error& error,
                        Outputs& out) {
  ++counters_.requests_refused;
  send_reply(client, msg::error_reply(encoding, id, error), counters_, out);
}

bool BrokerCore::check_invariants() const {
  return timers_.check_invariants() && majordomo_.check_invariants() && compositors_.check_invariants() &&
         alerts_.check_invariants() && jobs_.check_invariants() && group_calls_.check_invariants() &&
         idempotent_calls_.check_invariants() && pending_commits_.size() <= kPendingCommitsMax;
}

}  // namespace compositord::broker
