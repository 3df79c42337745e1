// bus.alert: what fires, what has ended, and what people say of it.

#include <algorithm>

#include <fmt/format.h>

#include "broker/core/bus_services.h"
#include "broker/core/page_params.h"
#include "broker/core/selector.h"
#include "common/base/glob.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kTextBytesMax = 1'024;  // of an author or a comment

// What of the alerts is wanted. Empty: all of it.
struct Filter {
  std::optional<Selector> selector;
  std::string severity;
  std::string kind;
  bool all = true;  // also those that are suppressed by others
  UnixMs since;
};

Result<Filter> read_filter(const msg::Value& params) {
  Filter filter;
  Result<std::optional<Selector>> selector = read_selector(params);
  if (!selector) return tl::unexpected<Error>(selector.error());
  if (*selector && !(*selector)->facts.empty()) {
    return fail(Status::kMalformed, "selector: ids and labels expected, not facts");
  }
  filter.selector = std::move(*selector);
  const Result<std::string> severity = read_text(params, "severity");
  if (!severity) return tl::unexpected<Error>(severity.error());
  if (!severity->empty() && !msg::enum_from_name<msg::AlertSeverity>(*severity)) {
    return fail(Status::kMalformed, "severity: info, warning or critical expected");
  }
  const Result<std::string> kind = read_text(params, "kind");
  if (!kind) return tl::unexpected<Error>(kind.error());
  const auto since = read_ms(params, "since");
  if (!since) return tl::unexpected<Error>(since.error());
  if (const msg::Value* all = params.find("suppressed"); all != nullptr && !all->is_null()) {
    if (all->if_bool() == nullptr) return fail(Status::kMalformed, "suppressed: true or false expected");
    filter.all = *all->if_bool();
  }
  filter.severity = *severity;
  filter.kind = *kind;
  filter.since = UnixMs{since->value_or(0)};
  return filter;
}

bool wanted(const Filter& filter, const msg::Alert& alert) {
  if (!filter.severity.empty() && name_of(alert.severity) != filter.severity) return false;
  if (!filter.kind.empty() && !glob_matches(filter.kind, name_of(alert.kind))) return false;
  if (!filter.all && !alert.suppressed_by.empty()) return false;
  if (filter.since.ms > 0 && alert.at < filter.since) return false;
  return !filter.selector || matches(*filter.selector, alert.id, alert.labels);
}

// One page of alerts out of a map by their ids; `life_of` gives an entry's life.
template <class Map, class LifeOf>
Result<Answer> page_of(const BusContext& bus, const msg::Value& params, const Map& map, LifeOf life_of) {
  const Result<PageParams> page = read_page_params(params);
  if (!page) return tl::unexpected<Error>(page.error());
  const Result<Filter> filter = read_filter(params);
  if (!filter) return tl::unexpected<Error>(filter.error());
  msg::Value items = msg::Value::array();
  msg::Value next;
  std::size_t count = 0;
  std::string last;
  for (auto it = map.upper_bound(page->after); it != map.end(); ++it) {
    const AlertLife& life = life_of(*it);
    if (!wanted(*filter, life.alert)) continue;
    if (count == page->limit) {
      next = msg::Value(last);
      break;
    }
    items.push(to_value(life.alert));
    last = it->first;
    ++count;
  }
  Answer answer;
  answer.result = msg::Value::map({{"epoch", bus.feed.epoch()},
                                   {"seqs", bus.feed.seqs()},
                                   {"alerts", std::move(items)},
                                   {"next", std::move(next)}});
  return answer;
}

Result<std::string> read_bounded(const msg::Value& params, std::string_view key, bool required) {
  Result<std::string> text = read_text(params, key);
  if (!text) return text;
  if (required && text->empty()) return fail(Status::kMalformed, fmt::format("{}: missing", key));
  if (text->size() > kTextBytesMax) {
    return fail(Status::kTooLarge, fmt::format("{}: more than {} bytes", key, kTextBytesMax));
  }
  return text;
}

Result<Answer> acknowledge(const BusContext& bus, const msg::Value& params, Outputs& out) {
  const Result<std::string> alert = read_bounded(params, "alert", true);
  const Result<std::string> author = read_bounded(params, "author", true);
  const Result<std::string> comment = read_bounded(params, "comment", false);
  for (const Result<std::string>* text : {&alert, &author, &comment}) {
    if (!*text) return tl::unexpected<Error>(text->error());
  }
  const Result<void> done =
      bus.alerts.acknowledge(*alert, msg::AlertAck{*author, *comment, bus.now.calendar}, bus.now, out);
  if (!done) return tl::unexpected<Error>(done.error());
  Answer answer;
  answer.result = to_value(bus.alerts.find(*alert)->alert);
  answer.after_commit = out.store_writes.back().commit_id;
  return answer;
}

Result<std::vector<std::string>> read_kinds(const msg::Value& params) {
  std::vector<std::string> kinds;
  const msg::Value* found = params.find("kinds");
  if (found == nullptr || found->is_null()) return kinds;
  if (!found->is_array() || found->if_array()->size() > 64) {
    return fail(Status::kMalformed, "kinds: an array of at most 64 names of kinds expected");
  }
  for (const msg::Value& kind : *found->if_array()) {
    if (!kind.is_string()) return fail(Status::kMalformed, "kinds: strings expected");
    const auto is_known = [&](const auto& known) { return glob_matches(*kind.if_string(), known.name); };
    const auto known = enum_names(msg::AlertKind{});
    if (std::none_of(known.begin(), known.end(), is_known)) {
      return fail(Status::kMalformed,
                  fmt::format("kinds: no alert is of the kind \"{}\"", escape_for_log(*kind.if_string(), 64)));
    }
    kinds.push_back(*kind.if_string());
  }
  return kinds;
}

Result<Answer> add_window(const BusContext& bus, const msg::Value& params, msg::WindowKind kind, Outputs& out) {
  msg::AlertWindow window;
  window.kind = kind;
  if (const msg::Value* selector = params.find("selector"); selector != nullptr) window.selector = *selector;
  const Result<std::string> author = read_bounded(params, "author", true);
  if (!author) return tl::unexpected<Error>(author.error());
  const Result<std::string> comment = read_bounded(params, "comment", false);
  if (!comment) return tl::unexpected<Error>(comment.error());
  Result<std::vector<std::string>> kinds = read_kinds(params);
  if (!kinds) return tl::unexpected<Error>(kinds.error());
  const auto from = read_ms(params, "from");
  if (!from) return tl::unexpected<Error>(from.error());
  const auto until = read_ms(params, "until");
  if (!until) return tl::unexpected<Error>(until.error());
  const auto length = read_ms(params, "for_ms");
  if (!length) return tl::unexpected<Error>(length.error());
  if (until->has_value() == length->has_value()) return fail(Status::kMalformed, "either until or for_ms expected");
  constexpr std::int64_t kFar = std::int64_t{200} * 366 * 24 * 3'600 * 1'000;  // no calendar has it, and sums of it fit
  window.author = *author;
  window.comment = *comment;
  window.kinds = std::move(*kinds);
  window.from = UnixMs{std::min(from->value_or(bus.now.calendar.ms), kFar)};
  window.until = UnixMs{*until ? std::min(**until, kFar) : window.from.ms + std::min(**length, kFar)};
  const Result<AlertWindows::Added> added = bus.alerts.windows().add(std::move(window), bus.now.calendar, out);
  if (!added) return tl::unexpected<Error>(added.error());
  Answer answer;
  answer.result = msg::Value::map({{"window", added->window}});
  answer.after_commit = added->commit_id;
  return answer;
}

Result<Answer> end_window(const BusContext& bus, const msg::Value& params, msg::WindowKind kind, Outputs& out) {
  const Result<std::string> window = read_bounded(params, "window", true);
  if (!window) return tl::unexpected<Error>(window.error());
  const Result<std::uint64_t> commit = bus.alerts.windows().end(*window, kind, out);
  if (!commit) return tl::unexpected<Error>(commit.error());
  Answer answer;
  answer.result = msg::Value::map({{"window", *window}});
  answer.after_commit = *commit;
  return answer;
}

Answer list_windows(const BusContext& bus, msg::WindowKind kind) {
  msg::Value items = msg::Value::array();
  for (const msg::AlertWindow* window : bus.alerts.windows().list(kind)) {
    msg::Value item = to_value(*window);
    item.set("active", window->from <= bus.now.calendar);
    items.push(std::move(item));
  }
  Answer answer;
  answer.result = msg::Value::map({{"windows", std::move(items)}});
  return answer;
}

}  // namespace

Result<Answer> call_alert_service(const BusContext& bus, const msg::Call& call, Outputs& out) {
  const std::string& method = call.header.method;
  if (method == "list") {
    return page_of(bus, call.params, bus.alerts.active(),
                   [&](const auto& entry) -> const AlertLife& { return *bus.alerts.find(entry.first); });
  }
  if (method == "history") {
    return page_of(bus, call.params, bus.alerts.ended(),
                   [](const auto& entry) -> const AlertLife& { return entry.second; });
  }
  if (method == "get") {
    const Result<std::string> id = read_bounded(call.params, "alert", true);
    if (!id) return tl::unexpected<Error>(id.error());
    const AlertLife* life = bus.alerts.find(*id);
    if (life == nullptr) return fail(Status::kNotFound, fmt::format("there is no alert {}", escape_for_log(*id, 64)));
    Answer answer;
    answer.result = to_value(life->alert);
    return answer;
  }
  if (method == "ack") return acknowledge(bus, call.params, out);
  if (method == "silence.add") return add_window(bus, call.params, msg::WindowKind::kSilence, out);
  if (method == "silence.list") return list_windows(bus, msg::WindowKind::kSilence);
  if (method == "silence.expire") return end_window(bus, call.params, msg::WindowKind::kSilence, out);
  if (method == "maintenance.start") return add_window(bus, call.params, msg::WindowKind::kMaintenance, out);
  if (method == "maintenance.list") return list_windows(bus, msg::WindowKind::kMaintenance);
  if (method == "maintenance.stop") return end_window(bus, call.params, msg::WindowKind::kMaintenance, out);
  return fail(Status::kNotFound,
              fmt::format("bus.alert has no method \"{}\" (list, history, get, ack, silence.add, silence.list, "
                          "silence.expire, maintenance.start, maintenance.list, maintenance.stop)",
                          escape_for_log(method, 64)));
}

}  // namespace compositord::broker
