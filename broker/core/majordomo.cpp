#include "broker/core/majordomo.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "broker/core/service_names.h"
#include "common/base/check.h"
#include "common/wire/mdp_codec.h"

namespace compositord::broker {

namespace {

std::string seconds(Duration d) { return fmt::format("{:.1f} s", std::chrono::duration<double>(d).count()); }

// A worker is doubted half an interval before it is given up.
Duration doubt_after(const Worker& worker) { return worker.interval * worker.liveness - worker.interval / 2; }
Duration lost_after(const Worker& worker) { return worker.interval * worker.liveness; }

LogEvent about(Severity severity, std::string_view name, const Worker& worker) {
  LogEvent event(severity, name);
  if (worker.compositor) {
    event.with("id", worker.compositor->value());
  } else {
    event.with("service", worker.service);
  }
  return event;
}

}  // namespace

Majordomo::Majordomo(const BrokerConfig& config, std::uint64_t epoch, TimerQueue& timers, Counters& counters,
                     Latencies& latencies)
    : config_(config),
      timers_(timers),
      counters_(counters),
      latencies_(latencies),
      requests_(epoch),
      services_(config.limits),
      shortest_interval_(config.heartbeat_interval) {}

// ---- workers' commands

void Majordomo::heard(const wire::RoutingId& peer, Instant now) {
  Worker* worker = workers_.find(peer);
  if (worker == nullptr) return;
  // 18/MDP: "Any received command except DISCONNECT acts as a heartbeat." A peer that sends DISCONNECT is removed anyway.
  worker->last_heard = now;
  // A doubted connection may still deliver what was sent before it closed: only asking settles kDisconnected.
  if (worker->doubt == Doubt::kSilent) set_doubt(*worker, Doubt::kNone, "it was heard again");
}

void Majordomo::on_ready(const wire::RoutingId& peer, const wire::Dialect& dialect, const std::string& service,
                         Instant now, Outputs& out) {
  Worker* worker = workers_.find(peer);
  // 8/MMI: "mmi." is reserved, 9/TSP: "titanic."; "bus." is ours. A compositor's name is free for its agent.
  if (reserved_prefix_of(service).value_or(msg::kCompositorServicePrefix) != msg::kCompositorServicePrefix) {
    return expel(peer, dialect, "READY for a reserved service name", now, out);
  }
  if (worker != nullptr) {
    if (worker->state == WorkerState::kReady) return expel(peer, dialect, "a second READY", now, out);
    if (worker->service != service) {
      return expel(peer, dialect, "READY for a service that it did not register", now, out);
    }
  } else if (service.starts_with(msg::kCompositorServicePrefix)) {
    return expel(peer, dialect, "READY for a compositor that it did not register", now, out);
  } else if (workers_.size() >= config_.limits.workers_max) {
    return expel(peer, dialect, "too many workers", now, out);
  }
  Service* entry = services_.open(service);
  if (entry == nullptr) return expel(peer, dialect, "too many services", now, out);
  if (worker == nullptr) {
    worker = &workers_.add(peer);
    worker->interval = config_.heartbeat_interval;
    worker->liveness = config_.heartbeat_liveness;
    worker->service = service;
    const ServiceTerms terms = terms_of(config_.services, service, ServiceTerms{});
    worker->credit = terms.credit;
    worker->idempotent = terms.idempotent;
    start_timers(*worker, now);
  }
  worker->dialect = dialect;
  worker->state = WorkerState::kReady;
  ++entry->workers;
  ++counters_.workers_ready;
  services_.line_up(*entry, *worker);
  out.log.push_back(about(Severity::kInfo, "worker.ready", *worker));
  ready_services_.push_back(service);
  serve(*entry, now, out);
}

void Majordomo::on_reply(const wire::RoutingId& peer, const wire::Dialect& dialect, wire::mdp::WorkerReply&& reply,
                         Instant now, Outputs& out) {
  const Worker* worker = workers_.find(peer);
  if (worker == nullptr || worker->state != WorkerState::kReady) {
    return expel(peer, dialect, "a reply from a peer that is no ready worker", now, out);
  }
  OpenRequest* request = requests_.find(token_of(reply.client_address));
  if (request == nullptr || request->worker != worker->id) {
    ++counters_.replies_late;
    return;
  }
  if (request->state == RequestState::kAbandoned) {
    if (reply.final) ++counters_.replies_late;
    // Whoever keeps outcomes inside the broker learns the true one, however late.
    if (request->client.origin != Origin::kPeer) forward(*request, reply.final, std::move(reply.body), out);
  } else {
    forward(*request, reply.final, std::move(reply.body), out);
  }
  if (!reply.final) return;
  latencies_.answered(now - request->dispatched);
  finish(*request, now, out);
}

void Majordomo::on_heartbeat(const wire::RoutingId& peer, const wire::Dialect& dialect, Instant now, Outputs& out) {
  // 18/MDP: a HEARTBEAT from an unknown peer is answered with DISCONNECT, which makes it return with READY: this is how
  // agents come back after a restart of the broker.
  if (workers_.find(peer) == nullptr) expel(peer, dialect, "a HEARTBEAT from a peer that is no worker", now, out);
}

void Majordomo::on_disconnect(const wire::RoutingId& peer, Instant now, Outputs& out) {
  if (Worker* worker = workers_.find(peer)) {
    remove_worker(*worker, "it sent DISCONNECT", msg::Link::kLeft, Farewell::kNone, now, out);
  }
}

// ---- agents

Result<void> Majordomo::admit(const wire::RoutingId& peer, const wire::Dialect& dialect, const Admission& admission,
                              Instant now, Outputs& out) {
  Worker* known = workers_.find(peer);
  if (known != nullptr && known->service != admission.service) {
    return fail(Status::kConflict, fmt::format("this connection is a worker for {} already", known->service));
  }
  // One that takes another one's place is none more: limits, which a reload may have lowered, refuse only who comes new.
  const bool takes_a_place = known != nullptr || (admission.compositor && agents_.contains(*admission.compositor));
  if (!takes_a_place && (workers_.size() >= config_.limits.workers_max ||
                         (admission.compositor && agents_.size() >= config_.limits.agents_max))) {
    return fail(Status::kLimit,
                fmt::format("the broker has {} workers already, {} of them agents", workers_.size(), agents_.size()));
  }
  if (known != nullptr) {
    remove_worker(*known, "it registered again", std::nullopt, Farewell::kNone, now, out);
  } else if (admission.compositor) {
    take_over(*admission.compositor, now, out);
  }
  Worker& worker = workers_.add(peer);
  worker.dialect = dialect;
  worker.state = WorkerState::kAdmitted;
  worker.compositor = admission.compositor;
  worker.service = admission.service;
  worker.interval = admission.interval;
  worker.liveness = admission.liveness;
  worker.credit = admission.credit;
  worker.idempotent = admission.idempotent;
  start_timers(worker, now);
  ++counters_.workers_registered;
  if (!admission.compositor) return {};
  agents_[*admission.compositor] = worker.id;
  ++counters_.agents_registered;
  link_changes_.push_back(LinkChange{*admission.compositor, msg::Link::kConnected, "it registered", now});
  return {};
}

void Majordomo::take_over(const msg::CompositorId& id, Instant now, Outputs& out) {
  const auto it = agents_.find(id);
  if (it == agents_.end()) return;
  ++counters_.agents_taken_over;
  Worker* old = workers_.find(it->second);
  CHECK(old != nullptr);
  out.log.push_back(about(Severity::kWarning, "agent.taken_over", *old));
  remove_worker(*old, "another agent registered the same id", std::nullopt, Farewell::kDisconnect, now, out);
}

const msg::CompositorId* Majordomo::compositor_of(const wire::RoutingId& peer) {
  const Worker* worker = workers_.find(peer);
  return worker != nullptr && worker->compositor ? &*worker->compositor : nullptr;
}

void Majordomo::leave(const wire::RoutingId& peer, Instant now, Outputs& out) {
  Worker* worker = workers_.find(peer);
  CHECK(worker != nullptr);
  remove_worker(*worker, "it left", msg::Link::kLeft, Farewell::kNone, now, out);
}

std::optional<Instant> Majordomo::last_heard(const msg::CompositorId& id) {
  const auto it = agents_.find(id);
  if (it == agents_.end()) return std::nullopt;
  return workers_.find(it->second)->last_heard;
}

std::size_t Majordomo::worker_count(const std::string& service) {
  const Service* entry = services_.find(service);
  return entry == nullptr ? 0 : entry->workers;
}

std::vector<ServiceInfo> Majordomo::services(std::string_view prefix, std::size_t count) const {
  std::vector<ServiceInfo> found;
  for (const Service* service : services_.with_prefix(prefix, count)) {
    found.push_back(ServiceInfo{service->name, service->workers, service->waiting.size()});
  }
  return found;
}

// ---- liveness

void Majordomo::start_timers(Worker& worker, Instant now) {
  worker.last_heard = now;
  shortest_interval_ = std::min(shortest_interval_, worker.interval);
  worker.heartbeat_timer = timers_.arm(now + worker.interval, TimerKind::kWorkerHeartbeat, worker.id);
  worker.silence_timer = timers_.arm(now + doubt_after(worker), TimerKind::kWorkerSilence, worker.id);
}

void Majordomo::on_timer(const Timer& timer, Instant now, Outputs& out) {
  if (timer.kind == TimerKind::kRequestDeadline) {
    OpenRequest* request = requests_.find(timer.key);
    CHECK(request != nullptr);
    request->deadline_timer = 0;
    return request_timed_out(*request, now, out);
  }
  Worker* worker = workers_.find(timer.key);
  CHECK(worker != nullptr);
  if (timer.kind == TimerKind::kWorkerHeartbeat) {
    send_heartbeat(*worker, out);
    worker->heartbeat_timer = timers_.arm(now + worker->interval, TimerKind::kWorkerHeartbeat, worker->id);
  } else if (timer.kind == TimerKind::kWorkerSilence) {
    worker->silence_timer = 0;
    check_silence(*worker, now, out);
  } else {
    worker->probe_timer = 0;
    ask_whether_connected(*worker, now, out);
  }
}

void Majordomo::check_silence(Worker& worker, Instant now, Outputs& out) {
  const Duration silent = now - worker.last_heard;
  if (silent >= lost_after(worker)) {
    return remove_worker(worker, fmt::format("nothing was heard for {}", seconds(silent)), msg::Link::kLost,
                         Farewell::kDisconnect, now, out);
  }
  Instant next = worker.last_heard + doubt_after(worker);
  if (silent >= doubt_after(worker)) {
    if (worker.doubt == Doubt::kNone) {
      set_doubt(worker, Doubt::kSilent, fmt::format("nothing was heard for {}", seconds(silent)));
    }
    next = worker.last_heard + lost_after(worker);
  }
  worker.silence_timer = timers_.arm(next, TimerKind::kWorkerSilence, worker.id);
}

void Majordomo::disconnected(const wire::RoutingId& peer, Instant now, Outputs& out) {
  Worker* worker = workers_.find(peer);
  if (worker == nullptr || worker->doubt == Doubt::kDisconnected) return;
  set_doubt(*worker, Doubt::kDisconnected, "its connection closed");
  worker->doubted_until = now + config_.disconnect_grace;
  ask_whether_connected(*worker, now, out);
}

void Majordomo::ask_whether_connected(Worker& worker, Instant now, Outputs& out) {
  if (now >= worker.doubted_until) return set_doubt(worker, Doubt::kNone, "its connection takes messages");
  send_heartbeat(worker, out);  // input::SendFailed with kUnreachable is the proof
  worker.probe_timer = timers_.arm(now + config_.disconnect_grace / 3, TimerKind::kDisconnectProbe, worker.id);
}

void Majordomo::set_doubt(Worker& worker, Doubt doubt, std::string_view why) {
  worker.doubt = doubt;
  if (!worker.compositor) return;
  const msg::Link link = doubt == Doubt::kNone ? msg::Link::kConnected : msg::Link::kSuspect;
  link_changes_.push_back(LinkChange{*worker.compositor, link, std::string(why), worker.last_heard});
}

void Majordomo::send_heartbeat(const Worker& worker, Outputs& out) {
  ++counters_.heartbeats_sent;
  out.sends.push_back(Send{worker.peer, wire::serialize(worker.dialect, wire::mdp::Heartbeat{})});
}

void Majordomo::send_failed(const wire::RoutingId& peer, bool unreachable, RequestToken token, Instant now,
                            Outputs& out) {
  ++counters_.sends_failed;
  OpenRequest* request = requests_.find(token);
  if (request != nullptr && request->state == RequestState::kWithWorker) {
    const std::string why = unreachable ? "the worker's connection is gone" : "the worker takes no more messages";
    ++counters_.requests_refused;
    // By this worker; one that died may have had it before.
    tell_failure(request->client, request->call, request->retried ? Carried::kUnknown : Carried::kNo,
                 request->retried ? Error{Status::kGone, why + "; whether it was carried out is unknown"}
                                  : Error{Status::kNotConnected, why + "; it was not carried out"},
                 LogEvent(Severity::kWarning, "request.dropped"), out);
    // Nothing more is given to a worker whose connection is gone.
    unreachable ? forget(*request) : finish(*request, now, out);
  } else if (request != nullptr && request->state == RequestState::kAbandoned && !unreachable) {
    finish(*request, now, out);  // it never reached its worker, so no answer would ever give the credit back
  }
  if (Worker* worker = workers_.find(peer); worker != nullptr && unreachable) {
    remove_worker(*worker, "its connection is gone", msg::Link::kLost, Farewell::kNone, now, out);
  }
}

void Majordomo::stalled(Duration lateness) {
  for (auto& entry : workers_.all()) {
    entry.second.last_heard = entry.second.last_heard + lateness;
    entry.second.doubted_until = entry.second.doubted_until + lateness;
  }
}

// ---- ends

void Majordomo::send_disconnect(const Worker& worker, Outputs& out) {
  ++counters_.disconnects_sent;
  out.sends.push_back(Send{worker.peer, wire::serialize(worker.dialect, wire::mdp::Disconnect{})});
}

void Majordomo::remove_worker(Worker& worker, std::string_view why, std::optional<msg::Link> link, Farewell farewell,
                              Instant now, Outputs& out) {
  if (farewell == Farewell::kDisconnect) send_disconnect(worker, out);
  const bool lost = link == msg::Link::kLost;
  out.log.push_back(about(lost ? Severity::kWarning : Severity::kInfo, lost ? "worker.lost" : "worker.removed", worker)
                        .with("why", std::string(why)));
  if (lost) ++(worker.compositor ? counters_.agents_lost : counters_.workers_lost);
  if (worker.compositor) {
    agents_.erase(*worker.compositor);
    if (link) link_changes_.push_back(LinkChange{*worker.compositor, *link, std::string(why), worker.last_heard});
  }
  timers_.cancel(worker.heartbeat_timer);
  timers_.cancel(worker.silence_timer);
  timers_.cancel(worker.probe_timer);
  Service* service = services_.find(worker.service);
  if (service != nullptr && worker.state == WorkerState::kReady) {
    services_.leave_line(worker);
    --service->workers;
  }
  end_requests_of(worker, now, out);
  const bool is_agent = worker.compositor.has_value();
  workers_.remove(worker.id);
  if (service == nullptr) return;
  // A compositor has one agent: what waits for it would wait in vain. Plain requests wait for another worker.
  if (is_agent && link) refuse_waiting(*service, why, out);
  serve(*service, now, out);
}

void Majordomo::end_requests_of(Worker& worker, Instant now, Outputs& out) {
  // The oldest goes back last: it is the first in the queue again.
  const std::vector<RequestToken> newest_first(worker.outstanding.rbegin(), worker.outstanding.rend());
  for (const RequestToken token : newest_first) {
    if (give_back(*requests_.find(token), worker, now)) worker.outstanding.erase(token);
  }
  for (const RequestToken token : worker.outstanding) {
    OpenRequest* request = requests_.find(token);
    CHECK(request != nullptr);
    if (request->state == RequestState::kWithWorker) {
      ++counters_.requests_orphaned;
      const Error error{Status::kGone,
                        fmt::format("its {} died under the request; whether it was carried out is unknown",
                                    worker.compositor ? "agent" : "worker")};
      tell_failure(request->client, request->call, Carried::kUnknown, error,
                   LogEvent(Severity::kWarning, "request.orphaned"), out);
    }
    timers_.cancel(request->deadline_timer);
    requests_.remove(token);
  }
  worker.outstanding.clear();
}

void Majordomo::refuse_waiting(Service& service, std::string_view why, Outputs& out) {
  const Error error{Status::kNotConnected, fmt::format("its agent is gone: {}; it was not carried out", why)};
  while (!service.waiting.empty()) {
    OpenRequest* request = requests_.find(service.waiting.front());
    CHECK(request != nullptr);
    refuse(request->client, request->call, error, out);
    forget(*request);
  }
}

void Majordomo::expel(const wire::RoutingId& peer, const wire::Dialect& dialect, std::string_view why, Instant now,
                      Outputs& out) {
  ++counters_.commands_unexpected;
  // 18/MDP: "The broker MUST respond to any valid but unexpected command by sending DISCONNECT and then no further commands to
  // that worker."
  if (Worker* worker = workers_.find(peer)) {
    return remove_worker(*worker, why, msg::Link::kLost, Farewell::kDisconnect, now, out);
  }
  out.log.push_back(LogEvent(Severity::kDebug, "peer.expelled").with("why", std::string(why)));
  ++counters_.disconnects_sent;
  out.sends.push_back(Send{peer, wire::serialize(dialect, wire::mdp::Disconnect{})});
}

std::vector<LinkChange> Majordomo::take_link_changes() { return std::exchange(link_changes_, {}); }
std::vector<Outcome> Majordomo::take_outcomes() { return std::exchange(outcomes_, {}); }
std::vector<std::string> Majordomo::take_ready_services() { return std::exchange(ready_services_, {}); }

bool Majordomo::check_invariants() const {
  if (!services_.check_invariants()) return false;
  std::size_t waiting = 0;
  std::size_t waiting_bytes = 0;
  for (const auto& entry : services_.all()) {
    const Service& service = entry.second;
    if (service.workers == 0 && service.waiting.empty()) return false;         // should have been forgotten
    if (service.next_worker() != 0 && !service.waiting.empty()) return false;  // should have been served
    waiting += service.waiting.size();
    waiting_bytes += service.waiting_bytes;
  }
  if (waiting_bytes != services_.waiting_bytes()) return false;
  std::size_t outstanding = 0;
  for (const auto& entry : workers_.all()) {
    const Worker& worker = entry.second;
    if (worker.outstanding.size() > static_cast<std::size_t>(worker.credit)) return false;
    if (worker.heartbeat_timer == 0 || worker.silence_timer == 0) return false;  // every worker, busy or not
    if (worker.compositor && !agents_.contains(*worker.compositor)) return false;
    outstanding += worker.outstanding.size();
  }
  for (const auto& entry : requests_.all()) {
    const OpenRequest& request = entry.second;
    const auto service = services_.all().find(request.client.service);
    if (service == services_.all().end() || request.service != &service->second) return false;
  }
  return waiting + outstanding == requests_.size();
}

}  // namespace compositord::broker
