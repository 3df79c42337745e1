// bus.status and bus.admin: questions that are answered from memory.

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "broker/core/bus_services.h"
#include "broker/core/page_params.h"
#include "broker/core/query_answers.h"
#include "common/base/utf8.h"

namespace compositord::broker {

namespace {

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

// A compositor's status with its link as it was last observed: every heartbeat is an observation.
msg::Value status_of(const BusContext& bus, const Compositor& c) {
  msg::Status status = c.status;
  status.link.observed_at = std::max(status.link.observed_at, last_seen(bus, c));
  return to_value(status);
}

std::string_view name_of(Doubt doubt) {
  if (doubt == Doubt::kNone) return "none";
  return doubt == Doubt::kSilent ? "silent" : "disconnected";
}

msg::Value describe_worker(const Worker& worker, Instant now) {
  std::string peer;
  for (const char c : worker.peer.value()) peer += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return msg::Value::map({{"peer", std::move(peer)},
                          {"service", to_utf8(worker.service)},
                          {"mdp", std::string(worker.dialect.version == wire::MdpVersion::k01 ? "0.1" : "0.2")},
                          {"state", std::string(worker.state == WorkerState::kReady ? "ready" : "admitted")},
                          {"doubt", std::string(name_of(worker.doubt))},
                          {"heartbeat_ms", to_ms(worker.interval)},
                          {"liveness", worker.liveness},
                          {"silent_ms", std::max<std::int64_t>(0, to_ms(now - worker.last_heard))},
                          {"credit", worker.credit},
                          {"outstanding", std::uint64_t{worker.outstanding.size()}}});
}

// Agents and other workers. Callers and subscribers are known to nobody between their messages.
Result<Answer> list_peers(const BusContext& bus, const msg::Call& call) {
  const Result<PageParams> page = read_page_params(call.params);
  if (!page) return tl::unexpected<Error>(page.error());
  WorkerId after = 0;
  const char* end = page->after.data() + page->after.size();
  if (!page->after.empty() && std::from_chars(page->after.data(), end, after).ptr != end) {
    return fail(Status::kMalformed, "after: the `next` of the page before expected");
  }
  const std::map<WorkerId, Worker>& workers = bus.majordomo.workers();
  msg::Value items = msg::Value::array();
  msg::Value next;
  auto it = workers.upper_bound(after);
  for (std::size_t count = 0; it != workers.end() && count < page->limit; ++it, ++count) {
    items.push(describe_worker(it->second, bus.now.instant));
    after = it->first;
  }
  if (it != workers.end()) next = msg::Value(std::to_string(after));
  Answer answer;
  answer.result = msg::Value::map({{"peers", std::move(items)}, {"next", std::move(next)}});
  return answer;
}

}  // namespace

msg::Value describe_stats(const Feed& feed, const Counters& counters, const Latencies& latencies,
                          const Depths& depths) {
  const msg::Value full = msg::Value::map({{"open_requests", std::uint64_t{depths.open_requests}},
                                           {"waiting_bytes", std::uint64_t{depths.waiting_bytes}},
                                           {"pending_commits", std::uint64_t{depths.pending_commits}},
                                           {"pending_reads", std::uint64_t{depths.pending_reads}},
                                           {"jobs", std::uint64_t{depths.jobs}},
                                           {"job_bytes", std::uint64_t{depths.job_bytes}},
                                           {"idem_calls", std::uint64_t{depths.idem_calls}},
                                           {"idem_bytes", std::uint64_t{depths.idem_bytes}},
                                           {"group_calls", std::uint64_t{depths.group_calls}},
                                           {"group_bytes", std::uint64_t{depths.group_bytes}},
                                           {"workers", std::uint64_t{depths.workers}},
                                           {"services", std::uint64_t{depths.services}},
                                           {"compositors", std::uint64_t{depths.compositors}},
                                           {"alerts", std::uint64_t{depths.alerts}},
                                           {"timers", std::uint64_t{depths.timers}},
                                           {"connections", depths.bus.connections},
                                           {"send_bytes", depths.bus.send_bytes},
                                           {"incoming_bytes", depths.bus.incoming_bytes}});
  return msg::Value::map({{"epoch", feed.epoch()},
                          {"counters", to_value(counters)},
                          {"depths", full},
                          {"latency", latencies.to_value()},
                          {"seqs", feed.seqs()}});
}

Result<Answer> call_status_service(const BusContext& bus, const msg::Call& call, Outputs& out) {
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
  if (method == "history" || method == "outages" || method == "sla") return call_history_service(bus, call, out);
  if (method != "get") return no_method("bus.status", method, "get, list, snapshot, history, outages, sla");
  const Result<const Compositor*> found = find_compositor(bus, call.params);
  if (!found) return tl::unexpected<Error>(found.error());
  msg::Value status = status_of(bus, **found);
  if ((*found)->crash) status.set("crash", to_value(*(*found)->crash));  // too long for lists
  Answer answer;
  answer.result = std::move(status);
  return answer;
}

Result<Answer> call_admin_service(const BusContext& bus, const msg::Call& call) {
  const std::string& method = call.header.method;
  Answer answer;
  if (method == "stats") {
    answer.result = describe_stats(bus.feed, bus.counters, bus.latencies, bus.depths);
    return answer;
  }
  if (method == "peers") return list_peers(bus, call);
  if (method != "config") return no_method("bus.admin", method, "stats, config, peers, log.level, reload");
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
