// The way of a request through Majordomo: accepted, waiting, with a worker, ended. States: request_table.h.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "broker/core/majordomo.h"
#include "common/base/check.h"
#include "common/wire/mdp_codec.h"

namespace compositord::broker {

namespace {

// Of a request without an answer. One that waits again was with a worker that died.
Carried carried(const OpenRequest& request) noexcept {
  return request.state == RequestState::kWaiting && !request.retried ? Carried::kNo : Carried::kUnknown;
}

}  // namespace

void send_reply(const Client& client, const msg::Reply& reply, Counters& counters, Outputs& out) {
  send_body(client, true, msg::serialize_reply(reply), counters, out);
}

void send_body(const Client& client, bool final, wire::Frames&& body, Counters& counters, Outputs& out) {
  if (!final && client.dialect.version == wire::MdpVersion::k01) {
    // 7/MDP knows only one reply to a request. Test: Majordomo.DropsAndCountsPartialsForA01Client
    ++counters.partials_dropped;
    return;
  }
  ++(final ? counters.finals_sent : counters.partials_sent);
  wire::mdp::ClientReply message{final, client.service, std::move(body)};
  out.sends.push_back(Send{client.peer, wire::serialize(client.dialect, std::move(message))});
}

void Majordomo::route_plain(Client client, wire::Frames&& body, Instant now, Outputs& out) {
  open_request(std::move(client), std::nullopt, std::move(body), config_.plain_request_expiry, now, out);
}

void Majordomo::route_call(Client client, CallMark call, wire::Frames&& body, Duration deadline, Instant now,
                           Outputs& out) {
  if (!has_workers(client.service) && !client.service.starts_with(msg::kCompositorServicePrefix)) {
    const Error error{Status::kNotFound, fmt::format("no worker offers the service \"{}\"", client.service)};
    return refuse(client, call, error, out);
  }
  open_request(std::move(client), std::move(call), std::move(body), deadline, now, out);
}

void Majordomo::open_request(Client client, std::optional<CallMark> call, wire::Frames&& body, Duration deadline,
                             Instant now, Outputs& out) {
  const Limits& limits = config_.limits;
  const auto limit = [&](std::string text) { refuse(client, call, Error{Status::kLimit, std::move(text)}, out); };
  const ClientUse use = requests_.use_of(client.peer);
  if (use.requests >= limits.open_requests_per_client_max) {
    return limit(fmt::format("this client has {} open requests already", limits.open_requests_per_client_max));
  }
  if (requests_.size() >= limits.open_requests_max) return limit("the broker has too many open requests");
  if (use.waiting_bytes + wire::held_bytes(body) > limits.queued_bytes_per_client_max) {
    return limit(fmt::format("this client's waiting requests would have more than {} bytes",
                             limits.queued_bytes_per_client_max));
  }
  Service* service = services_.open(client.service);
  if (service == nullptr) return limit("the broker knows too many services");

  OpenRequest& request = requests_.add(std::move(client));
  request.service = service;
  request.call = std::move(call);
  request.bytes = wire::held_bytes(body);
  request.body = std::move(body);
  if (!services_.enqueue(*service, request)) {
    const std::string text = fmt::format("the queue of \"{}\" is full ({} requests, {} bytes)", service->name,
                                         service->waiting.size(), service->waiting_bytes);
    refuse(request.client, request.call, Error{Status::kLimit, text}, out);
    requests_.remove(request.token);
    services_.close_if_empty(*service);
    return;
  }
  requests_.add_waiting(request);
  request.arrived = now;
  request.deadline_timer = timers_.arm(now + deadline, TimerKind::kRequestDeadline, request.token);
  serve(*service, now, out);
}

void Majordomo::tell_failure(const Client& client, const std::optional<CallMark>& call, Carried carried,
                             const Error& error, LogEvent plain_event, Outputs& out) {
  if (client.origin != Origin::kPeer) {
    outcomes_.push_back(Outcome{client.origin, client.key, true, carried, {}, error});
  } else if (call) {
    send_reply(client, msg::error_reply(call->encoding, call->id, error), counters_, out);
  } else {
    // MDP has no way to say no: what a plain client sees is that nothing comes.
    out.log.push_back(std::move(plain_event.with("service", client.service).with("why", error.text)));
  }
}

void Majordomo::refuse(const Client& client, const std::optional<CallMark>& call, const Error& error, Outputs& out) {
  ++counters_.requests_refused;
  tell_failure(client, call, Carried::kNo, error, LogEvent(Severity::kWarning, "request.dropped"), out);
}

void Majordomo::serve(Service& service, Instant now, Outputs& out) {
  while (service.next_worker() != 0 && !service.waiting.empty()) {
    Worker* worker = workers_.find(service.next_worker());
    OpenRequest* request = requests_.find(service.waiting.front());
    CHECK(worker != nullptr && request != nullptr);
    dispatch(service, *worker, *request, now, out);
  }
  services_.close_if_empty(service);
}

void Majordomo::dispatch(Service& service, Worker& worker, OpenRequest& request, Instant now, Outputs& out) {
  leave_queue(service, request);
  request.state = RequestState::kWithWorker;
  request.worker = worker.id;
  // A plain request only has a time to wait for a worker; what the worker takes is its own affair.
  if (!request.call) timers_.cancel(request.deadline_timer);
  worker.outstanding.insert(request.token);
  // 18/MDP: "MAY deliver requests to workers on any basis, including round robin and least-recently used": the latter.
  services_.leave_line(worker);
  services_.line_up(service, worker);
  ++counters_.requests_routed;
  request.dispatched = now;
  latencies_.routed(now - request.arrived);
  wire::mdp::WorkerRequest message{address_of(request.token), {}};
  if (worker.idempotent && !request.client.once && !request.retried &&
      requests_.keep_body(request, config_.limits.queued_bytes_max)) {
    message.body = request.body;
  } else {
    message.body = std::move(request.body);
  }
  out.sends.push_back(Send{worker.peer, wire::serialize(worker.dialect, std::move(message)), request.token});
}

void Majordomo::leave_queue(Service& service, OpenRequest& request) {
  services_.dequeue(service, request);
  requests_.remove_waiting(request);
}

void Majordomo::forward(OpenRequest& request, bool final, wire::Frames&& body, Outputs& out) {
  request.streamed = request.streamed || !final;
  if (request.client.origin != Origin::kPeer) {
    outcomes_.push_back(
        Outcome{request.client.origin, request.client.key, final, Carried::kAnswered, std::move(body), {}});
    return;
  }
  send_body(request.client, final, std::move(body), counters_, out);
}

void Majordomo::finish(OpenRequest& request, Instant now, Outputs& out) {
  Service& service = *request.service;
  Worker* worker = workers_.find(request.worker);
  forget(request);
  if (worker != nullptr) services_.line_up(service, *worker);
  serve(service, now, out);
}

void Majordomo::forget(OpenRequest& request) {
  timers_.cancel(request.deadline_timer);
  if (request.state == RequestState::kWaiting) leave_queue(*request.service, request);
  if (Worker* worker = workers_.find(request.worker)) worker->outstanding.erase(request.token);
  requests_.remove(request.token);
}

void Majordomo::request_timed_out(OpenRequest& request, Instant now, Outputs& out) {
  ++counters_.requests_expired;
  const Error error{Status::kDeadline, carried(request) == Carried::kNo
                                           ? "the deadline passed before a worker was free; it was not carried out"
                                           : "the deadline passed; whether it was carried out is unknown"};
  give_up(request, error, LogEvent(Severity::kWarning, "request.expired"), now, out);
}

void Majordomo::stop(Instant now, Outputs& out) {
  std::vector<RequestToken> open;
  for (const auto& [token, request] : requests_.all()) {
    const bool left_to_journal = request.client.origin == Origin::kJob && carried(request) == Carried::kUnknown;
    if (request.state != RequestState::kAbandoned && !left_to_journal) open.push_back(token);
  }
  std::sort(open.begin(), open.end());
  for (const RequestToken token : open) {
    OpenRequest* request = requests_.find(token);
    CHECK(request != nullptr);  // the end of one is no other's
    const Error error =
        carried(*request) == Carried::kNo
            ? Error{Status::kNotConnected, "the broker is being stopped; it was not carried out"}
            : Error{Status::kGone, "the broker is being stopped; whether it was carried out is unknown"};
    give_up(*request, error, LogEvent(Severity::kWarning, "request.dropped"), now, out);
  }
  // They need not find out by silence, and one that is back at once is there before the next broker's first request.
  for (const auto& [id, worker] : workers_.all()) send_disconnect(worker, out);
}

void Majordomo::give_up(OpenRequest& request, const Error& error, LogEvent plain_event, Instant now, Outputs& out) {
  tell_failure(request.client, request.call, carried(request), error, std::move(plain_event), out);
  if (request.state == RequestState::kWaiting) return finish(request, now, out);
  // The worker may still be busy with it: its credit stays taken until it answers or dies.
  requests_.release_client(request);
  request.state = RequestState::kAbandoned;
}

bool Majordomo::give_back(OpenRequest& request, const Worker& worker, Instant now) {
  if (request.state != RequestState::kWithWorker || !worker.idempotent || request.retried || request.streamed ||
      !request.body_kept)
    return false;
  if (!services_.enqueue_first(*request.service, request)) return false;
  requests_.release_body(request);
  requests_.add_waiting(request);
  request.state = RequestState::kWaiting;
  request.worker = 0;
  request.retried = true;
  if (request.deadline_timer == 0) {
    request.deadline_timer =
        timers_.arm(now + config_.plain_request_expiry, TimerKind::kRequestDeadline, request.token);
  }
  ++counters_.requests_retried;
  return true;
}

}  // namespace compositord::broker
