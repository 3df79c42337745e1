// bus.manifest, bus.status and bus.admin: questions that are answered from memory.

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "broker/core/bus_services.h"
#include "broker/core/page_params.h"

namespace compositord::broker {

namespace {

Result<Answer> no_method(std::string_view service, const std::string& method, std::string_view known) {
  return fail(Status::kNotFound,
              fmt::format("{} has no method \"{}\" ({})", service, escape_for_log(method, 64), known));
}

Result<const Compositor*> find_compositor(const BusContext& bus, const msg::Call& call) {
  const msg::Value* id = call.params.find("id");
  if (id == nullptr || !id->is_string()) return fail(Status::kMalformed, "id: a string expected");
  const Result<msg::CompositorId> parsed = msg::parse_compositor_id(*id->if_string());
  if (!parsed) return tl::unexpected<Error>(parsed.error());
  const Compositor* found = bus.compositors.find(*id->if_string());
  if (found == nullptr)
    return fail(Status::kNotFound, fmt::format("no compositor {} has ever registered", *id->if_string()));
  return found;
}

struct Page {
  std::vector<const Compositor*> compositors;
  msg::Value next;  // what to pass as `after` for the next page; null: this was the last
};

Result<Page> read_page(const BusContext& bus, const msg::Call& call) {
  const Result<PageParams> params = read_page_params(call.params);
  if (!params) return tl::unexpected<Error>(params.error());
  Page page;
  page.compositors = bus.compositors.page(params->after, params->limit + 1);
  if (page.compositors.size() > params->limit) {
    page.compositors.pop_back();
    page.next = msg::Value(page.compositors.back()->status.id);
  }
  return page;
}

template <class Describe>
Result<Answer> answer_page(const BusContext& bus, const msg::Call& call, std::string_view key, Describe describe) {
  const Result<Page> page = read_page(bus, call);
  if (!page) return tl::unexpected<Error>(page.error());
  msg::Value items = msg::Value::array();
  for (const Compositor* c : page->compositors) items.push(describe(*c));
  Answer answer;
  answer.result.set(key, std::move(items));
  answer.result.set("next", page->next);
  return answer;
}

// When the compositor's agent was last heard.
UnixMs last_seen(const BusContext& bus, const Compositor& c) {
  const std::optional<Instant> heard = bus.majordomo.last_heard(msg::CompositorId(c.status.id));
  return heard ? UnixMs{bus.now.calendar.ms - to_ms(bus.now.instant - *heard)} : c.last_seen;
}

// A compositor's status with its link as it was last observed: every heartbeat is an observation.
msg::Value status_of(const BusContext& bus, const Compositor& c) {
  msg::Status status = c.status;
  status.link.observed_at = std::max(status.link.observed_at, last_seen(bus, c));
  return to_value(status);
}

// What keeps a stale manifest from looking fresh: it stands in every answer beside it.
msg::Value freshness(const BusContext& bus, const Compositor& c) {
  return msg::Value::map({{"id", c.status.id},
                          {"link", std::string(name_of(c.status.link.state))},
                          {"last_seen", last_seen(bus, c).ms},
                          {"observed_at", c.observed_at.ms},
                          {"age_ms", std::max<std::int64_t>(0, bus.now.calendar.ms - c.observed_at.ms)},
                          {"hash", c.hash},
                          {"revision", c.revision},
                          {"stored", c.stored}});
}

msg::Value list_entry(const BusContext& bus, const Compositor& c) {
  msg::Value entry = freshness(bus, c);
  entry.set("name", c.name);
  entry.set("version", c.version);
  entry.set("verdict", std::string(name_of(c.status.verdict)));
  msg::Value labels = msg::Value::map();
  for (const auto& label : c.status.labels) labels.set(label.first, label.second);
  entry.set("labels", std::move(labels));
  return entry;
}

}  // namespace

msg::Value describe_stats(const Feed& feed, const Counters& counters, const Latencies& latencies,
                          const Depths& depths) {
  const msg::Value full = msg::Value::map({{"open_requests", std::uint64_t{depths.open_requests}},
                                           {"waiting_bytes", std::uint64_t{depths.waiting_bytes}},
                                           {"pending_commits", std::uint64_t{depths.pending_commits}},
                                           {"jobs", std::uint64_t{depths.jobs}},
                                           {"job_bytes", std::uint64_t{depths.job_bytes}},
                                           {"idem_calls", std::uint64_t{depths.idem_calls}},
                                           {"idem_bytes", std::uint64_t{depths.idem_bytes}},
                                           {"group_calls", std::uint64_t{depths.group_calls}},
                                           {"workers", std::uint64_t{depths.workers}},
                                           {"services", std::uint64_t{depths.services}},
                                           {"compositors", std::uint64_t{depths.compositors}},
                                           {"timers", std::uint64_t{depths.timers}}});
  return msg::Value::map({{"epoch", feed.epoch()},
                          {"counters", to_value(counters)},
                          {"depths", full},
                          {"latency", latencies.to_value()},
                          {"seqs", feed.seqs()}});
}

Result<Answer> call_manifest_service(const BusContext& bus, const msg::Call& call) {
  if (call.header.method == "list") {
    return answer_page(bus, call, "compositors", [&](const Compositor& c) { return list_entry(bus, c); });
  }
  if (call.header.method != "get") return no_method("bus.manifest", call.header.method, "get, list");
  const Result<const Compositor*> found = find_compositor(bus, call);
  if (!found) return tl::unexpected<Error>(found.error());
  const Compositor& c = **found;
  if (c.manifest.is_null()) {
    return fail(Status::kNotFound, fmt::format("{} has registered but never described a compositor", c.status.id));
  }
  Answer answer;
  answer.result = freshness(bus, c);
  answer.age_ms = *answer.result.find("age_ms")->if_int();
  answer.result.set("manifest", c.manifest);
  return answer;
}

Result<Answer> call_status_service(const BusContext& bus, const msg::Call& call) {
  const std::string& method = call.header.method;
  if (method == "list") {
    return answer_page(bus, call, "compositors", [&](const Compositor& c) { return status_of(bus, c); });
  }
  if (method == "snapshot") {
    // Each entry has the seq of its own last publication: what the feed brings with a higher one is newer.
    Result<Answer> answer = answer_page(bus, call, "compositors", [&](const Compositor& c) {
      return msg::Value::map({{"seq", c.status_seq}, {"status", status_of(bus, c)}});
    });
    if (answer) {
      answer->result.set("epoch", bus.feed.epoch());
      answer->result.set("seqs", bus.feed.seqs());
    }
    return answer;
  }
  if (method != "get") return no_method("bus.status", method, "get, list, snapshot");
  const Result<const Compositor*> found = find_compositor(bus, call);
  if (!found) return tl::unexpected<Error>(found.error());
  msg::Value status = status_of(bus, **found);
  if ((*found)->crash) status.set("crash", to_value(*(*found)->crash));  // too long for lists
  return Answer{std::move(status), {}, {}, {}};
}

Result<Answer> call_admin_service(const BusContext& bus, const msg::Call& call) {
  const std::string& method = call.header.method;
  Answer answer;
  if (method == "stats") {
    answer.result = describe_stats(bus.feed, bus.counters, bus.latencies, bus.depths);
    return answer;
  }
  if (method != "config") return no_method("bus.admin", method, "stats, config");
  const auto list = [](const std::vector<std::string>& endpoints) {
    msg::Value array = msg::Value::array();
    for (const std::string& endpoint : endpoints) array.push(endpoint);
    return array;
  };
  answer.result = msg::Value::map({{"epoch", bus.feed.epoch()},
                                   {"bus", list(bus.config.bus_endpoints)},
                                   {"feed", list(bus.config.feed_endpoints)},
                                   {"heartbeat_ms", to_ms(bus.config.heartbeat_interval)},
                                   {"liveness", bus.config.heartbeat_liveness},
                                   {"default_deadline_ms", to_ms(bus.config.default_deadline)}});
  return answer;
}

}  // namespace compositord::broker
