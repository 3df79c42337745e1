// bus.worker: what any Majordomo worker may agree on before it says READY: credit, heartbeat, idempotence.

#include <fmt/format.h>

#include "broker/core/bus_services.h"
#include "common/msg/registration.h"
#include "common/wire/mdp_codec.h"

namespace compositord::broker {

namespace {

Result<void> check_service(const std::string& service) {
  if (service.empty() || service.size() > wire::kServiceNameBytesMax) {
    return fail(Status::kMalformed, fmt::format("service: 1 … {} bytes expected", wire::kServiceNameBytesMax));
  }
  if (const auto reserved = reserved_prefix_of(service)) {
    return fail(Status::kForbidden, fmt::format("service: names that begin with \"{}\" are reserved", *reserved));
  }
  return {};
}

}  // namespace

Result<void> check_range(std::string_view name, std::optional<std::int64_t> value, std::int64_t low,
                         std::int64_t high) {
  if (!value || (*value >= low && *value <= high)) return {};
  return fail(Status::kMalformed, fmt::format("{} is {}, it must be {} … {}", name, *value, low, high));
}

Result<Answer> call_worker_service(const BusContext& bus, const Client& client, const msg::Call& call, Outputs& out) {
  if (call.header.method != "register") {
    return fail(Status::kNotFound,
                fmt::format("bus.worker has no method \"{}\" (register)", escape_for_log(call.header.method, 64)));
  }
  const Result<msg::WorkerRegistration> wanted = msg::from_value<msg::WorkerRegistration>(call.params);
  if (!wanted) return tl::unexpected<Error>(wanted.error());
  for (const Result<void>& checked :
       {check_service(wanted->service), check_range("credit", wanted->credit, msg::kCreditMin, msg::kCreditMax),
        check_range("heartbeat_ms", wanted->heartbeat_ms, msg::kHeartbeatMsMin, msg::kHeartbeatMsMax),
        check_range("liveness", wanted->liveness, msg::kLivenessMin, msg::kLivenessMax)}) {
    if (!checked) return tl::unexpected<Error>(checked.error());
  }
  const ServiceTerms terms = terms_of(bus.config.services, wanted->service, ServiceTerms{});
  msg::WorkerRegistered agreed;
  agreed.epoch = bus.feed.epoch();
  agreed.heartbeat_ms = wanted->heartbeat_ms.value_or(to_ms(bus.config.heartbeat_interval));
  agreed.liveness = wanted->liveness.value_or(bus.config.heartbeat_liveness);
  agreed.credit = wanted->credit.value_or(terms.credit);
  agreed.idempotent = wanted->idempotent.value_or(terms.idempotent);

  Admission admission;
  admission.service = wanted->service;
  admission.interval = std::chrono::milliseconds(agreed.heartbeat_ms);
  admission.liveness = static_cast<int>(agreed.liveness);
  admission.credit = static_cast<int>(agreed.credit);
  admission.idempotent = agreed.idempotent;
  const Result<void> admitted = bus.majordomo.admit(client.peer, client.dialect, admission, bus.now.instant, out);
  if (!admitted) return tl::unexpected<Error>(admitted.error());
  agreed.session = bus.counters.workers_registered;
  Answer answer;
  answer.result = to_value(agreed);
  return answer;
}

}  // namespace compositord::broker
