// bus.status history, outages and sla: how compositors did. All of it is answered by the store.

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "broker/core/availability.h"
#include "broker/core/page_params.h"
#include "broker/core/query_answers.h"
#include "broker/core/selector.h"

namespace compositord::broker {

namespace {

constexpr std::int64_t kDayMs = std::int64_t{24} * 3'600 * 1'000;
constexpr std::uint64_t kRowsMax = 100'000;  // that one answer may be made of

struct Period {
  UnixMs since;
  UnixMs until;
};

// Until now at most, and if nothing else is said; `since` wins over `period_ms`.
Result<Period> read_period(const BusContext& bus, const msg::Value& params, std::int64_t usual_ms) {
  const auto since = read_ms(params, "since");
  if (!since) return tl::unexpected<Error>(since.error());
  const auto until = read_ms(params, "until");
  if (!until) return tl::unexpected<Error>(until.error());
  const auto length = read_ms(params, "period_ms");
  if (!length) return tl::unexpected<Error>(length.error());
  Period period;
  period.until = UnixMs{std::min(until->value_or(bus.now.calendar.ms), bus.now.calendar.ms)};
  period.since = UnixMs{since->value_or(std::max<std::int64_t>(0, period.until.ms - length->value_or(usual_ms)))};
  if (period.since <= period.until) return period;
  return fail(Status::kMalformed, "since: it is after until");
}

// ---- history

// "7.12": the epoch and the seq after which the page begins.
bool read_cursor(std::string_view text, ChangesQuery& query) {
  const auto read = [&](std::uint64_t& number) {
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
  };
  if (!read(query.after_epoch) || !text.starts_with('.')) return false;
  text.remove_prefix(1);
  return read(query.after_seq) && text.empty();
}

Result<Answer> ask_history(const BusContext& bus, const msg::Call& call, Outputs& out) {
  const Result<const Compositor*> found = find_compositor(bus, call.params);
  if (!found) return tl::unexpected<Error>(found.error());
  const Result<Period> period = read_period(bus, call.params, kDayMs);
  if (!period) return tl::unexpected<Error>(period.error());
  const Result<PageParams> page = read_page_params(call.params);
  if (!page) return tl::unexpected<Error>(page.error());
  ChangesQuery query;
  query.ids = {(*found)->status.id};
  query.since = period->since;
  query.until = UnixMs{period->until.ms + 1};  // what is so now belongs to it
  query.rows_max = page->limit;
  if (!page->after.empty() && !read_cursor(page->after, query)) {
    return fail(Status::kMalformed, "after: what `next` said expected");
  }
  return answer_after(bus, std::move(query), out);
}

msg::Value to_value(const StatusChange& change) {
  msg::Value outputs = msg::Value::array();
  for (const OutputChange& output : change.outputs) {
    outputs.push(msg::Value::map(
        {{"name", output.name}, {"state", std::string(name_of(output.state))}, {"planned", output.planned}}));
  }
  return msg::Value::map({{"at", change.at.ms},
                          {"epoch", change.epoch},
                          {"seq", change.seq},
                          {"verdict", std::string(name_of(change.verdict))},
                          {"layer", change.layer},
                          {"reason", change.reason},
                          {"link", std::string(name_of(change.link))},
                          {"process", std::string(name_of(change.process))},
                          {"progress", std::string(name_of(change.progress))},
                          {"outputs", std::move(outputs)}});
}

Answer history_answer(const ChangesQuery& query, const StoreRows& rows) {
  msg::Value changes = msg::Value::array();
  for (const StatusChange& change : rows.changes) changes.push(to_value(change));
  msg::Value next;
  if (rows.more) next = fmt::format("{}.{}", rows.changes.back().epoch, rows.changes.back().seq);
  Answer answer;
  answer.result =
      msg::Value::map({{"id", query.ids.front()}, {"changes", std::move(changes)}, {"next", std::move(next)}});
  return answer;
}

// ---- outages and sla

// The ids of one page.
Result<std::vector<std::string>> choose(const BusContext& bus, const msg::Value& params) {
  const Result<PageParams> page = read_page_params(params);
  if (!page) return tl::unexpected<Error>(page.error());
  const Result<std::optional<Selector>> selector = read_selector(params);
  if (!selector) return tl::unexpected<Error>(selector.error());
  std::vector<std::string> chosen;
  std::string after = page->after;
  for (const Compositor* c = bus.compositors.next(after); c != nullptr; c = bus.compositors.next(after)) {
    after = c->status.id;
    if (*selector && !matches(**selector, *c)) continue;
    if (chosen.size() == page->limit) break;
    chosen.push_back(c->status.id);
  }
  return chosen;
}

Result<Answer> ask_period(const BusContext& bus, const msg::Call& call, std::int64_t usual_ms, Outputs& out) {
  const Result<Period> period = read_period(bus, call.params, usual_ms);
  if (!period) return tl::unexpected<Error>(period.error());
  Result<std::vector<std::string>> chosen = choose(bus, call.params);
  if (!chosen) return tl::unexpected<Error>(chosen.error());
  ChangesQuery query;
  query.ids = std::move(*chosen);
  query.since = period->since;
  query.until = period->until;
  query.with_before = true;
  query.rows_max = kRowsMax;
  return answer_after(bus, std::move(query), out);
}

msg::Value to_value(const TimeShares& time) {
  msg::Value value = msg::Value::map();
  for (const auto& entry : enum_names(Standing{})) value.set(std::string(entry.name) + "_ms", time.of(entry.value));
  const std::optional<double> share = time.ok_share();
  value.set("ok_share", share ? msg::Value(*share) : msg::Value());
  return value;
}

msg::Value sla_entry(const std::string& id, const Availability& found) {
  msg::Value outputs = msg::Value::array();
  for (const OutputShares& output : found.outputs) {
    outputs.push(msg::Value::map({{"name", output.name}, {"time", to_value(output.time)}}));
  }
  return msg::Value::map({{"id", id},
                          {"since", found.since.ms},
                          {"outages", std::uint64_t{found.outages.size()}},
                          {"time", to_value(found.time)},
                          {"outputs", std::move(outputs)}});
}

msg::Value to_value(const std::string& id, const Outage& outage) {
  msg::Value until;
  if (!outage.goes_on) until = outage.until.ms;
  return msg::Value::map({{"id", id},
                          {"from", outage.from.ms},
                          {"until", std::move(until)},
                          {"ms", outage.until.ms - outage.from.ms},
                          {"began_before", outage.began_before},
                          {"worst", std::string(msg::name_of(outage.worst))},
                          {"layer", outage.layer},
                          {"reason", outage.reason}});
}

// Each compositor of the query with its own changes.
template <class Use>
void for_each_compositor(const BusContext& bus, const ChangesQuery& query, const StoreRows& rows, Use use) {
  auto row = rows.changes.begin();
  for (const std::string& id : query.ids) {
    std::vector<StatusChange> changes;
    for (; row != rows.changes.end() && row->id == id; ++row) changes.push_back(*row);
    use(id, availability_of(changes, rows.runs, bus.feed.epoch(), query.since, query.until));
  }
}

Result<Answer> period_answer(const BusContext& bus, const msg::Call& call, const ChangesQuery& query,
                             const StoreRows& rows) {
  if (rows.more) {
    return fail(Status::kTooLarge, fmt::format("more changes of status are in that period than one answer is made of "
                                               "({}, or 128 MiB): ask for a shorter one, or for fewer compositors "
                                               "(selector, limit)",
                                               kRowsMax));
  }
  const bool sla = call.header.method == "sla";
  msg::Value items = msg::Value::array();
  for_each_compositor(bus, query, rows, [&](const std::string& id, const Availability& found) {
    if (sla) return items.push(sla_entry(id, found));
    for (const Outage& outage : found.outages) items.push(to_value(id, outage));
  });
  const Result<PageParams> page = read_page_params(call.params);
  const bool full = page && query.ids.size() == page->limit && bus.compositors.next(query.ids.back()) != nullptr;
  Answer answer;
  answer.result = msg::Value::map({{"since", query.since.ms},
                                   {"until", query.until.ms},
                                   {sla ? "compositors" : "outages", std::move(items)},
                                   {"next", full ? msg::Value(query.ids.back()) : msg::Value()}});
  return answer;
}

}  // namespace

Result<Answer> call_history_service(const BusContext& bus, const msg::Call& call, Outputs& out) {
  if (call.header.method == "history") return ask_history(bus, call, out);
  return ask_period(bus, call, call.header.method == "sla" ? 30 * kDayMs : 7 * kDayMs, out);
}

Result<Answer> answer_history_call(const BusContext& bus, const msg::Call& call, const StoreQuery& query,
                                   const StoreRows& rows) {
  const ChangesQuery& changes = std::get<ChangesQuery>(query);
  if (call.header.method == "history") return history_answer(changes, rows);
  return period_answer(bus, call, changes, rows);
}

}  // namespace compositord::broker
