#include "broker/core/broker_core.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "broker/core/mmi.h"
#include "broker/core/titanic.h"
#include "common/base/check.h"
#include "common/wire/mdp_codec.h"

namespace compositord::broker {

namespace {

constexpr Duration kBusTickInterval = std::chrono::seconds(1);
constexpr Duration kStatsInterval = std::chrono::seconds(10);
constexpr std::size_t kPendingCommitsMax = 10'000;

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

}  // namespace

BrokerCore::BrokerCore(BrokerConfig config, std::uint64_t epoch)
    : config_(std::move(config)),
      feed_(epoch, config_.limits, counters_),
      majordomo_(config_, timers_, counters_, latencies_),
      compositors_(config_.limits, feed_, commit_ids_),
      jobs_(config_, majordomo_, timers_, counters_, commit_ids_, epoch),
      group_calls_(config_, majordomo_, compositors_, counters_),
      idempotent_calls_(config_, counters_) {}

void BrokerCore::load(Instant now, const StoredState& stored, Outputs& out) {
  compositors_.load(stored.compositors, unix_at(now), out);
  jobs_.load(stored.jobs, both(now), out);
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

void BrokerCore::on(input::SendFailed& failed, Instant now, Outputs& out) {
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

void BrokerCore::on(input::StoreDone& done, Instant now, Outputs& out) {
  const auto it = pending_commits_.find(done.commit_id);
  if (!done.result) {
    ++counters_.store_failures;
    out.log.push_back(LogEvent(Severity::kError, "store.failed").with("why", done.result.error().text));
  }
  jobs_.on_stored(done.commit_id, done.result, both(now), out);
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

void BrokerCore::on(input::CalendarSet& calendar, Instant, Outputs&) {
  unix_ms_at_origin_ = calendar.unix_ms_at_origin;
}

void BrokerCore::on(input::Stalled& stalled, Instant, Outputs& out) {
  // Smaller delays are within what liveness forgives; and shifting costs a walk over all timers.
  if (stalled.lateness <= majordomo_.shortest_interval() / 2) return;
  ++counters_.stalls;
  timers_.shift_all(stalled.lateness);
  majordomo_.stalled(stalled.lateness);
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
    } else if (timer->kind == TimerKind::kJobEnd || timer->kind == TimerKind::kJobRetry) {
      jobs_.on_timer(*timer, both(now), out);
    } else {
      majordomo_.on_timer(*timer, now, out);
    }
  }
}

void BrokerCore::bus_tick(Instant now, Outputs& out) {
  timers_.arm(now + kBusTickInterval, TimerKind::kBusTick, 0);
  idempotent_calls_.forget_old(now);
  feed_.publish(FeedKind::kBus, "tick", msg::Value::map({{"epoch", feed_.epoch()}, {"seqs", feed_.seqs()}}),
                unix_at(now), out);
  if (const std::uint64_t left_out = log_budget_.renew(); left_out > 0) {
    out.log.push_back(LogEvent(Severity::kWarning, "log.suppressed").with("events", std::to_string(left_out)));
  }
}

void BrokerCore::bus_stats(Instant now, Outputs& out) {
  timers_.arm(now + kStatsInterval, TimerKind::kBusStats, 0);
  latencies_.end_interval();
  feed_.publish(FeedKind::kBus, "stats", describe_stats(feed_, counters_, latencies_, depths()), unix_at(now), out);
}

Depths BrokerCore::depths() const {
  Depths depths;
  depths.open_requests = majordomo_.open_requests();
  depths.waiting_bytes = majordomo_.waiting_bytes();
  depths.pending_commits = pending_commits_.size();
  depths.jobs = jobs_.size();
  depths.job_bytes = jobs_.bytes();
  depths.idem_calls = idempotent_calls_.size();
  depths.idem_bytes = idempotent_calls_.bytes();
  depths.group_calls = group_calls_.size();
  depths.workers = majordomo_.worker_count();
  depths.services = majordomo_.service_count();
  depths.compositors = compositors_.size();
  depths.timers = timers_.size();
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
      compositors_.set_link(change.id, change.link, change.why, unix_at(change.last_heard), unix_at(now), out);
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

void BrokerCore::call_bus_service(const Client& client, const wire::Frames& body, Instant now, Outputs& out) {
  const Result<msg::Call> call = msg::parse_call(body);
  if (!call) return refuse(client, msg::encoding_of(body), msg::Value(), call.error(), out);
  const Depths full = depths();
  const BusContext bus{config_, majordomo_, compositors_, jobs_, feed_, counters_, latencies_, full, both(now)};
  if (client.service == "bus.agent") {
    answer(client, *call, call_agent_service(bus, client, *call, out), out);
    // An agent's news may be that its compositor is there again.
    const msg::CompositorId* id = call->header.method == "status" ? majordomo_.compositor_of(client.peer) : nullptr;
    if (id != nullptr) jobs_.wake(msg::service_name(*id), both(now), out);
    return;
  }
  if (client.service == "bus.group") return call_group(client, *call, both(now), out);
  if (client.service == "bus.job") return answer(client, *call, call_job_service(bus, *call, out), out);
  if (client.service == "bus.worker") return answer(client, *call, call_worker_service(bus, client, *call, out), out);
  if (client.service == "bus.manifest") return answer(client, *call, call_manifest_service(bus, *call), out);
  if (client.service == "bus.status") return answer(client, *call, call_status_service(bus, *call), out);
  if (client.service == "bus.admin") return answer(client, *call, call_admin_service(bus, *call), out);
  const Error error{Status::kNotFound, fmt::format("the bus has no service \"{}\" ({})",
                                                   escape_for_log(client.service, 64), fmt::join(kBusServices, ", "))};
  refuse(client, call->encoding, call->header.id, error, out);
}

void BrokerCore::answer(const Client& client, const msg::Call& call, const Result<Answer>& answer, Outputs& out) {
  if (!answer) return refuse(client, call.encoding, call.header.id, answer.error(), out);
  msg::Reply reply = msg::ok_reply(call, answer->result);
  reply.header.age_ms = answer->age_ms;
  reply.attachments = answer->attachments;
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
  if (!majordomo_.has_agent(*id) && !header->queue.value_or(false) && !known) {
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

void BrokerCore::accept_call(Client client, const msg::RequestHeader& header, wire::Frames&& body, Instant now,
                             Outputs& out) {
  CallMark call{msg::encoding_of(body), header.id};
  if (header.queue.value_or(false)) {
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
         jobs_.check_invariants() && group_calls_.check_invariants() && idempotent_calls_.check_invariants() &&
         pending_commits_.size() <= kPendingCommitsMax;
}

}  // namespace compositord::broker
