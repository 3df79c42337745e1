#include "broker/core/mmi.h"

#include <utility>

#include "broker/core/bus_services.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kServicesMax = 1'000;

// 8/MMI: 'responds with "200" (Found) if there is at least one worker registered for the service, or "404" (Not found)'. 400,
// for a question without a name, is ours.
std::string code_of(const std::string& service, Majordomo& majordomo) {
  if (service.empty()) return "400";
  return majordomo.has_workers(service) || is_answered_by_broker(service) ? "200" : "404";
}

std::string list(std::string_view prefix, const Majordomo& majordomo) {
  msg::Value entries = msg::Value::array();
  for (const ServiceInfo& service : majordomo.services(prefix, kServicesMax)) {
    entries.push(msg::Value::map({{"service", service.name},
                                  {"workers", std::uint64_t{service.workers}},
                                  {"waiting", std::uint64_t{service.waiting}}}));
  }
  return msg::encode_json(entries);
}

}  // namespace

void answer_mmi(const Client& client, wire::Frames&& body, Majordomo& majordomo, Counters& counters, Outputs& out) {
  const std::string asked = body.empty() ? std::string() : body.back().str();
  wire::Frames answer;
  if (client.service == "mmi.service") {
    answer = {code_of(asked, majordomo)};
  } else if (client.service == "mmi.workers") {
    answer = {code_of(asked, majordomo), std::to_string(majordomo.worker_count(asked))};
  } else if (client.service == "mmi.services") {
    answer = {"200", list(asked, majordomo)};
  } else if (client.service == "mmi.echo") {
    answer = std::move(body);
    answer.insert(answer.begin(), "200");
  } else {
    answer = {"501"};
  }
  send_body(client, true, std::move(answer), counters, out);
}

}  // namespace compositord::broker
