#include "tools/compositorctl/fleet.h"

#include <utility>

#include <fmt/format.h>

#include "tools/compositorctl/selection.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

// A broker has at most 10 000 000 compositors and gives 500 at a time; whoever gives more pages than that is no broker.
constexpr std::size_t kPagesMax = 20'000;

// What else to say of an id that the bus doesn't know or that is none.
Failure with_known_ids(BusClient& bus, const std::string& id, Failure failure) {
  const Outcome<std::vector<msg::Value>> listed = fetch_all(bus, "bus.status", "list");
  if (!listed) return failure;
  std::vector<std::string> ids;
  for (const msg::Value& entry : *listed) {
    const msg::Value* known = entry.find("id");
    if (known != nullptr && known->is_string()) ids.push_back(*known->if_string());
  }
  failure.hints.push_back(known_ids_text(id, ids));
  return failure;
}

msg::Value id_params(const std::string& id) { return msg::Value::map({{"id", id}}); }

bool is_about_the_id(const msg::ReplyHeader& header) {
  return header.status == to_number(Status::kNotFound) || header.status == to_number(Status::kMalformed);
}

}  // namespace

Outcome<std::vector<msg::Value>> fetch_all(BusClient& bus, const std::string& service, const std::string& method,
                                           const msg::Value& params) {
  std::vector<msg::Value> all;
  const std::string_view key = service == "bus.alert" ? "alerts" : service == "bus.admin" ? "peers" : "compositors";
  msg::Value page_params = params;
  for (std::size_t page = 0; page < kPagesMax; ++page) {
    Outcome<msg::Value> result = bus.ask(service, method, page_params);
    if (!result) return tl::unexpected<Failure>(std::move(result.error()));
    const msg::Value* list = result->find(key);
    if (list == nullptr || list->if_array() == nullptr) {
      return give_up(ExitCode::kLocal, fmt::format("{} {}: {}: an array expected", service, method, key));
    }
    all.insert(all.end(), list->if_array()->begin(), list->if_array()->end());
    const msg::Value* next = result->find("next");
    if (next == nullptr || !next->is_string()) return all;
    page_params.set("after", *next);
  }
  return give_up(ExitCode::kLocal, fmt::format("{} {} gives pages without end", service, method));
}

Outcome<msg::Value> fetch_status(BusClient& bus, const std::string& id) {
  Outcome<msg::Reply> reply = bus.call("bus.status", "get", id_params(id));
  if (!reply) return tl::unexpected<Failure>(std::move(reply.error()));
  const ExitCode code = exit_code_of(reply->header.status);
  if (code == ExitCode::kDone) return std::move(reply->result);
  Failure failure{code, status_text(reply->header), {}};
  if (is_about_the_id(reply->header)) failure = with_known_ids(bus, id, std::move(failure));
  return tl::unexpected<Failure>(std::move(failure));
}

Outcome<std::optional<KnownManifest>> fetch_manifest(BusClient& bus, const std::string& id) {
  Outcome<msg::Reply> reply = bus.call("bus.manifest", "get", id_params(id));
  if (!reply) return tl::unexpected<Failure>(std::move(reply.error()));
  const ExitCode code = exit_code_of(reply->header.status);
  if (code != ExitCode::kDone) {
    // 404 has two meanings here; bus.status knows every compositor that ever registered.
    if (is_about_the_id(reply->header)) {
      Outcome<msg::Value> status = fetch_status(bus, id);
      if (!status) return tl::unexpected<Failure>(std::move(status.error()));
      return std::optional<KnownManifest>();
    }
    return give_up(code, status_text(reply->header));
  }
  const msg::Value* manifest = reply->result.find("manifest");
  if (manifest == nullptr) return give_up(ExitCode::kLocal, "bus.manifest get: the answer has no manifest");
  Outcome<Freshness> freshness = read_as<Freshness>(reply->result, "bus.manifest get");
  if (!freshness) return tl::unexpected<Failure>(std::move(freshness.error()));
  Outcome<msg::Manifest> parsed = read_as<msg::Manifest>(*manifest, "the manifest of " + id);
  if (!parsed) return tl::unexpected<Failure>(std::move(parsed.error()));
  return KnownManifest{std::move(*freshness), std::move(*parsed), std::move(reply->result)};
}

Outcome<std::string> nobody_fits_text(BusClient& bus, const std::vector<std::string>& ids,
                                      const std::vector<std::string>& labels) {
  const Outcome<std::vector<msg::Value>> listed = fetch_all(bus, "bus.status", "list");
  if (!listed) return tl::unexpected<Failure>(listed.error());
  std::vector<std::string> known;
  for (const msg::Value& raw : *listed) {
    const Outcome<msg::Status> status = read_as<msg::Status>(raw, "bus.status list");
    if (!status) return tl::unexpected<Failure>(status.error());
    if (is_selected(*status, ids, labels)) return std::string();
    known.push_back(status->id);
  }
  const std::string text = safe_text(known_ids_text(ids.empty() ? std::string() : ids.front(), known));
  return known.empty() ? text : "no compositor fits that: " + text;
}

std::string known_ids_text(std::string_view wanted, const std::vector<std::string>& ids) {
  constexpr std::size_t kShownMax = 10;
  if (ids.empty()) return "no compositor has registered yet: is a compositor-agent running?";
  const std::vector<std::string> near = nearest(wanted, ids, 3);
  std::string text;
  if (!near.empty()) text = fmt::format("did you mean {}? ", fmt::join(near, " or "));
  text += "the bus knows ";
  for (std::size_t i = 0; i < std::min(kShownMax, ids.size()); ++i) text += (i == 0 ? "" : ", ") + ids[i];
  if (ids.size() > kShownMax) text += fmt::format(" and {} more (compositorctl ls)", ids.size() - kShownMax);
  return text;
}

}  // namespace compositord::ctl
