// What was: earlier manifests and what differs between them, outages, and how much of the time all was well.

#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "tools/compositorctl/fleet.h"
#include "tools/compositorctl/selection.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

constexpr std::size_t kPagesMax = 20'000;  // whoever gives more pages than that is no broker

const msg::Value::Array& array_at(const msg::Value& map, std::string_view key) {
  static const msg::Value::Array kNone;
  const msg::Value* value = map.find(key);
  return value == nullptr || value->if_array() == nullptr ? kNone : *value->if_array();
}

// ---- revisions

Outcome<ExitCode> print_revision(Session& session, const msg::Value& revision) {
  if (session.options.json) return done(session.console.print_line(safe_json(revision, 2)));
  const msg::Value* manifest = revision.find("manifest");
  std::string text =
      fmt::format("{} revision {}, first seen {}\n", text_at(revision, "id"), number_at(revision, "revision"),
                  time_text(UnixMs{number_at(revision, "observed_at")}));
  if (manifest != nullptr) text += safe_json(*manifest, 2) + '\n';
  return done(session.console.print(text));
}

// What fits beside the other one. A whole output that came or went is known by its beginning; JSON has all of it.
std::string shortened(std::string text) {
  constexpr std::size_t kBytesMax = 60;
  if (text.size() <= kBytesMax) return text;
  std::size_t cut = kBytesMax;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0U) == 0x80U) --cut;  // not inside a character
  text.resize(cut);
  return text + " …";
}

std::string value_text(const msg::Value& change, std::string_view key) {
  const msg::Value* value = change.find(key);
  if (value == nullptr) return "-";
  return shortened(value->is_string() ? safe_text(*value->if_string()) : safe_json(*value));
}

std::string side_text(const msg::Value& side) {
  return fmt::format("{} revision {}", text_at(side, "id"), number_at(side, "revision"));
}

// "7" is a revision; ids have a slash.
std::optional<std::int64_t> revision_of(const std::string& word) {
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (fault != std::errc() || end != word.data() + word.size() || number < 1) return std::nullopt;
  return number;
}

Outcome<msg::Value> diff_params(const std::vector<std::string>& words) {
  msg::Value params = msg::Value::map({{"id", words.at(0)}});
  if (words.size() == 1) return params;
  const std::optional<std::int64_t> from = revision_of(words[1]);
  if (!from && words.size() == 2) return msg::Value::map({{"a", words[0]}, {"b", words[1]}});
  const std::optional<std::int64_t> to = words.size() > 2 ? revision_of(words[2]) : std::nullopt;
  if (!from || (words.size() > 2 && !to)) {
    return give_up(ExitCode::kUsage,
                   "diff: a revision is a whole number from 1, as in compositorctl diff wall-3/wayland-1 3 5");
  }
  params.set("from", *from);
  if (to) params.set("to", *to);
  return params;
}

// ---- outages, sla

std::vector<std::string> ids_of(const Options& options) {
  return std::vector<std::string>(options.id.empty() ? 0 : 1, options.id);
}

Outcome<msg::Value> fetch_pages(Session& session, const std::string& method, std::string_view key) {
  const Options& options = session.options;
  msg::Value params = msg::Value::map();
  if (msg::Value selector = selector_of(ids_of(options), options.labels); !selector.is_null())
    params.set("selector", std::move(selector));
  if (options.since) params.set("period_ms", to_ms(*options.since));
  msg::Value all;
  for (std::size_t page = 0; page < kPagesMax; ++page) {
    Outcome<msg::Value> result = session.bus.ask("bus.status", method, params);
    if (!result) return result;
    const msg::Value* next = result->find("next");
    const bool last = next == nullptr || !next->is_string();
    if (!last) params.set("after", *next);
    if (all.is_null()) {
      all = std::move(*result);
    } else {
      msg::Value items = msg::Value::array(array_at(all, key));
      for (const msg::Value& item : array_at(*result, key)) items.push(item);
      all.set(key, std::move(items));
    }
    if (last) break;
  }
  all.set("next", nullptr);
  return all;
}

std::string period_text(const msg::Value& answer) {
  return fmt::format("{} to {}", time_text(UnixMs{number_at(answer, "since")}),
                     time_text(UnixMs{number_at(answer, "until")}));
}

Colour colour_of(const std::string& standing) {
  if (standing == "down") return Colour::kRed;
  return standing == "unknown" ? Colour::kMagenta : Colour::kYellow;
}

std::string share_text(const msg::Value& time) {
  const msg::Value* share = time.find("ok_share");
  if (share == nullptr) return "?";
  const double* number = share->if_double();
  const std::int64_t* whole = share->if_int();
  if (number == nullptr && whole == nullptr) return "?";
  const double of_one = number != nullptr ? *number : static_cast<double>(*whole);
  // Rounded down: 100 % is only what was never bad.
  return fmt::format("{:.3f} %", static_cast<double>(static_cast<std::int64_t>(of_one * 1e5)) / 1e3);
}

std::string length_text(const msg::Value& time, std::string_view key) {
  const std::int64_t ms = number_at(time, key);
  return ms == 0 ? "-" : age_text(ms);
}

void add_row(Table& table, const std::string& name, const std::string& outages, const msg::Value& time) {
  const std::string share = share_text(time);
  table.add({{name},
             {share, share == "100.000 %" ? Colour::kGreen
                     : share == "?"       ? Colour::kNone
                                          : Colour::kYellow},
             {length_text(time, "degraded_ms")},
             {length_text(time, "down_ms")},
             {length_text(time, "unknown_ms")},
             {length_text(time, "planned_ms")},
             {length_text(time, "maintenance_ms")},
             {outages}});
}

}  // namespace

Outcome<ExitCode> run_manifest_history(Session& session) {
  const Outcome<msg::Value> history =
      session.bus.ask("bus.manifest", "history", msg::Value::map({{"id", session.options.id}}));
  if (!history) return tl::unexpected<Failure>(history.error());
  if (session.options.json) return done(session.console.print_line(safe_json(*history, 2)));
  Table table({"REVISION", "FIRST SEEN", "COMPOSITOR", "VERSION", "HASH"});
  for (const msg::Value& revision : array_at(*history, "revisions")) {
    table.add({{std::to_string(number_at(revision, "revision"))},
               {time_text(UnixMs{number_at(revision, "observed_at")})},
               {text_at(revision, "name")},
               {text_at(revision, "version")},
               {text_at(revision, "hash")}});
  }
  return done(session.console.print(table.to_text(session.console.coloured())));
}

Outcome<ExitCode> run_manifest_revision(Session& session) {
  const msg::Value params = msg::Value::map({{"id", session.options.id}, {"revision", *session.options.revision}});
  const Outcome<msg::Value> revision = session.bus.ask("bus.manifest", "get", params);
  if (!revision) return tl::unexpected<Failure>(revision.error());
  return print_revision(session, *revision);
}

Outcome<ExitCode> run_diff(Session& session) {
  Outcome<msg::Value> params = diff_params(session.options.arguments);
  if (!params) return tl::unexpected<Failure>(params.error());
  const Outcome<msg::Value> found = session.bus.ask("bus.manifest", "diff", std::move(*params));
  if (!found) return tl::unexpected<Failure>(found.error());
  if (session.options.json) return done(session.console.print_line(safe_json(*found, 2)));
  const msg::Value* a = found->find("a");
  const msg::Value* b = found->find("b");
  if (a == nullptr || b == nullptr) return give_up(ExitCode::kLocal, "bus.manifest diff: the answer has no sides");
  const msg::Value::Array& changes = array_at(*found, "changes");
  if (changes.empty()) {
    return done(session.console.print(fmt::format("{} and {} are the same\n", side_text(*a), side_text(*b))));
  }
  Table table({"FIELD", side_text(*a), side_text(*b)});
  for (const msg::Value& change : changes) {
    table.add({{text_at(change, "path")},
               {value_text(change, "old"), Colour::kRed},
               {value_text(change, "new"), Colour::kGreen}});
  }
  const msg::Value* more = found->find("more");
  if (more != nullptr && more->if_bool() != nullptr && *more->if_bool()) session.console.note("there are more changes");
  return done(session.console.print(table.to_text(session.console.coloured())));
}

Outcome<ExitCode> run_outages(Session& session) {
  const Outcome<msg::Value> answer = fetch_pages(session, "outages", "outages");
  if (!answer) return tl::unexpected<Failure>(answer.error());
  if (session.options.json) return done(session.console.print_line(safe_json(*answer, 2)));
  const msg::Value::Array& outages = array_at(*answer, "outages");
  if (outages.empty()) {
    const Outcome<std::string> nobody = nobody_fits_text(session.bus, ids_of(session.options), session.options.labels);
    if (!nobody) return tl::unexpected<Failure>(nobody.error());
    const std::string& id = session.options.id;
    const std::string none =
        fmt::format("no outage {}from {}", id.empty() ? "" : "of " + safe_text(id) + " ", period_text(*answer));
    session.console.note(nobody->empty() ? none : "no outage to tell of: " + *nobody);
    return ExitCode::kDone;
  }
  Table table({"COMPOSITOR", "FROM", "FOR", "WORST", "LAYER", "REASON"});
  for (const msg::Value& outage : outages) {
    const msg::Value* until = outage.find("until");
    const bool goes_on = until == nullptr || until->is_null();
    table.add({{text_at(outage, "id")},
               {time_text(UnixMs{number_at(outage, "from")})},
               {age_text(number_at(outage, "ms")) + (goes_on ? ", goes on" : "")},
               {text_at(outage, "worst"), colour_of(text_at(outage, "worst"))},
               {text_at(outage, "layer")},
               {text_at(outage, "reason")}});
  }
  return done(session.console.print(table.to_text(session.console.coloured())));
}

Outcome<ExitCode> run_sla(Session& session) {
  const Outcome<msg::Value> answer = fetch_pages(session, "sla", "compositors");
  if (!answer) return tl::unexpected<Failure>(answer.error());
  if (session.options.json) return done(session.console.print_line(safe_json(*answer, 2)));
  const msg::Value::Array& compositors = array_at(*answer, "compositors");
  if (compositors.empty()) {
    const Outcome<std::string> nobody = nobody_fits_text(session.bus, ids_of(session.options), session.options.labels);
    if (!nobody) return tl::unexpected<Failure>(nobody.error());
    session.console.note(nobody->empty() ? "nothing is known of that time" : *nobody);
    return ExitCode::kDone;
  }
  const msg::Value empty = msg::Value::map();
  Table table({"COMPOSITOR", "OK", "DEGRADED", "DOWN", "UNKNOWN", "PLANNED", "MAINTENANCE", "OUTAGES"});
  for (const msg::Value& one : compositors) {
    const msg::Value* time = one.find("time");
    add_row(table, text_at(one, "id"), std::to_string(number_at(one, "outages")), time != nullptr ? *time : empty);
    for (const msg::Value& output : array_at(one, "outputs")) {
      const msg::Value* of_output = output.find("time");
      add_row(table, "  " + text_at(output, "name"), "", of_output != nullptr ? *of_output : empty);
    }
  }
  session.console.note(period_text(*answer) + "; OK is the part of the known, unplanned time");
  return done(session.console.print(table.to_text(session.console.coloured())));
}

}  // namespace compositord::ctl
