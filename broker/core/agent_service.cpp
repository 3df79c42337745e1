// bus.agent: register, status, manifest.put, leave. Only the agent of a compositor may speak for it.

#include <fmt/format.h>

#include "broker/core/bus_services.h"
#include "common/msg/registration.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kLabelsMax = 64;
constexpr std::size_t kLabelBytesMax = 256;

Result<void> check_labels(const std::map<std::string, std::string>& labels) {
  if (labels.size() > kLabelsMax) return fail(Status::kTooLarge, fmt::format("more than {} labels", kLabelsMax));
  for (const auto& entry : labels) {
    if (entry.first.empty() || entry.first.size() > kLabelBytesMax || entry.second.size() > kLabelBytesMax) {
      return fail(Status::kMalformed,
                  fmt::format("a label's key has 1 … {0} bytes and its value at most {0}", kLabelBytesMax));
    }
  }
  return {};
}

Result<Answer> do_register(const BusContext& bus, const Client& client, const msg::Call& call, Outputs& out) {
  Result<msg::Registration> wanted = msg::from_value<msg::Registration>(call.params);
  if (!wanted) return tl::unexpected<Error>(wanted.error());
  const Result<msg::CompositorId> id = msg::parse_compositor_id(wanted->id);
  if (!id) return tl::unexpected<Error>(id.error());
  for (const Result<void>& checked :
       {check_range("heartbeat_ms", wanted->heartbeat_ms, msg::kHeartbeatMsMin, msg::kHeartbeatMsMax),
        check_range("liveness", wanted->liveness, msg::kLivenessMin, msg::kLivenessMax),
        check_labels(wanted->labels)}) {
    if (!checked) return tl::unexpected<Error>(checked.error());
  }
  if (bus.compositors.find(wanted->id) == nullptr && bus.compositors.size() >= bus.config.limits.agents_max) {
    return fail(Status::kLimit, fmt::format("the broker knows {} compositors already", bus.compositors.size()));
  }

  msg::Registered agreed;
  agreed.epoch = bus.feed.epoch();
  agreed.heartbeat_ms = wanted->heartbeat_ms.value_or(to_ms(bus.config.heartbeat_interval));
  agreed.liveness = wanted->liveness.value_or(bus.config.heartbeat_liveness);
  Admission admission;
  admission.service = msg::service_name(*id);
  admission.compositor = *id;
  admission.interval = std::chrono::milliseconds(agreed.heartbeat_ms);
  admission.liveness = static_cast<int>(agreed.liveness);
  admission.credit =
      terms_of(bus.config.services, admission.service, ServiceTerms{bus.config.agent_credit, false}).credit;
  agreed.credit = admission.credit;
  const Result<void> admitted = bus.majordomo.admit(client.peer, client.dialect, admission, bus.now.instant, out);
  if (!admitted) return tl::unexpected<Error>(admitted.error());
  agreed.session = bus.counters.agents_registered;
  bus.compositors.admit(*id, std::move(wanted->labels), bus.now.calendar);
  agreed.manifest_hash = bus.compositors.find(id->value())->hash;

  LogEvent event(Severity::kInfo, "agent.registered");
  event.with("id", id->value()).with("session", std::to_string(agreed.session));
  if (wanted->software) event.with("software", wanted->software->name + " " + wanted->software->version);
  out.log.push_back(std::move(event));
  Answer answer;
  answer.result = to_value(agreed);
  return answer;
}

Result<Answer> do_status(const BusContext& bus, const msg::CompositorId& id, const msg::Call& call, Outputs& out) {
  Result<msg::StatusReport> report = msg::from_value<msg::StatusReport>(call.params);
  if (!report) return tl::unexpected<Error>(report.error());
  if (std::string excess = msg::excess_of(*report); !excess.empty()) {
    return fail(Status::kTooLarge, std::move(excess));
  }
  if (report->metrics && report->metrics->cpu_percent.value_or(0) < 0) {
    return fail(Status::kMalformed, "metrics.cpu_percent: less than 0");
  }
  bus.compositors.report(id, std::move(*report), bus.now, out);
  return Answer{};
}

Result<Answer> do_manifest_put(const BusContext& bus, const msg::CompositorId& id, const msg::Call& call,
                               Outputs& out) {
  const msg::Value* manifest = call.params.find("manifest");
  if (manifest == nullptr) return fail(Status::kMalformed, "manifest: missing");
  const Result<std::uint64_t> commit = bus.compositors.put_manifest(id, *manifest, bus.now, out);
  if (!commit) return tl::unexpected<Error>(commit.error());
  const Compositor* c = bus.compositors.find(id.value());
  Answer answer;
  answer.result = msg::Value::map({{"hash", c->hash}, {"revision", c->revision}});
  answer.after_commit = *commit;  // 200 means: it survives a power cut
  return answer;
}

}  // namespace

Result<Answer> call_agent_service(const BusContext& bus, const Client& client, const msg::Call& call, Outputs& out) {
  const std::string& method = call.header.method;
  if (method == "register") return do_register(bus, client, call, out);
  const bool known = method == "status" || method == "manifest.put" || method == "leave";
  if (!known) {
    return fail(Status::kNotFound, fmt::format("bus.agent has no method \"{}\" (register, status, manifest.put, leave)",
                                               escape_for_log(method, 64)));
  }
  const msg::CompositorId* agent_of = bus.majordomo.compositor_of(client.peer);
  if (agent_of == nullptr) return fail(Status::kForbidden, "this connection is no agent: register first");
  const msg::CompositorId id = *agent_of;
  if (method == "status") return do_status(bus, id, call, out);
  if (method == "manifest.put") return do_manifest_put(bus, id, call, out);
  bus.majordomo.leave(client.peer, bus.now.instant, out);
  return Answer{};
}

}  // namespace compositord::broker
