#include "broker/core/query_answers.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

namespace compositord::broker {

Result<Answer> no_method(std::string_view service, const std::string& method, std::string_view known) {
  return fail(Status::kNotFound,
              fmt::format("{} has no method \"{}\" ({})", service, escape_for_log(method, 64), known));
}

Result<const Compositor*> find_compositor(const BusContext& bus, const msg::Value& params, std::string_view key) {
  const msg::Value* id = params.find(key);
  if (id == nullptr || !id->is_string()) return fail(Status::kMalformed, fmt::format("{}: a string expected", key));
  const Result<msg::CompositorId> parsed = msg::parse_compositor_id(*id->if_string());
  if (!parsed) return tl::unexpected<Error>(parsed.error());
  const Compositor* found = bus.compositors.find(*id->if_string());
  if (found == nullptr)
    return fail(Status::kNotFound, fmt::format("no compositor {} has ever registered", *id->if_string()));
  return found;
}

UnixMs last_seen(const BusContext& bus, const Compositor& c) {
  const std::optional<Instant> heard = bus.majordomo.last_heard(msg::CompositorId(c.status.id));
  return heard ? UnixMs{bus.now.calendar.ms - to_ms(bus.now.instant - *heard)} : c.last_seen;
}

Answer answer_after(const BusContext& bus, StoreQuery query, Outputs& out) {
  Answer answer;
  answer.after_read = bus.read_ids.next();
  out.store_reads.push_back(StoreRead{*answer.after_read, std::move(query)});
  return answer;
}

}  // namespace compositord::broker
