// alerts, ack, silence and maintenance.

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/base/clock.h"
#include "common/base/glob.h"
#include "tools/compositorctl/alert_text.h"
#include "tools/compositorctl/fleet.h"
#include "tools/compositorctl/live_view.h"
#include "tools/compositorctl/selection.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

// Who is at this keyboard: "eve@desk-4".
std::string author_of(const Options& options) {
  if (!options.alert.author.empty()) return options.alert.author;
  std::string host(256, '\0');
  if (gethostname(host.data(), host.size() - 1) != 0) host.clear();
  host.resize(host.find('\0') == std::string::npos ? host.size() : host.find('\0'));
  const passwd* user = getpwuid(geteuid());
  return fmt::format("{}@{}", user == nullptr ? std::to_string(geteuid()) : user->pw_name, host);
}

msg::Value list_params(const Options& options) {
  msg::Value params = msg::Value::map();
  if (msg::Value selector = selector_of(options.alert.ids, options.labels); !selector.is_null())
    params.set("selector", std::move(selector));
  if (!options.alert.severity.empty()) params.set("severity", options.alert.severity);
  if (options.alert.kinds.size() == 1) params.set("kind", options.alert.kinds.front());
  if (!options.alert.all && !options.alert.history) params.set("suppressed", false);
  if (options.alert.since) params.set("since", unix_now().ms - to_ms(*options.alert.since));
  return params;
}

Outcome<std::vector<msg::Alert>> read_alerts(const std::vector<msg::Value>& raw, const std::string& method) {
  std::vector<msg::Alert> alerts;
  for (const msg::Value& value : raw) {
    Outcome<msg::Alert> alert = read_as<msg::Alert>(value, "bus.alert " + method);
    if (!alert) return tl::unexpected<Failure>(alert.error());
    alerts.push_back(std::move(*alert));
  }
  return alerts;
}

// The filter of list_params(), for what the feed brings.
bool is_meant(const Options& options, const msg::Alert& alert) {
  const std::vector<std::string>& kinds = options.alert.kinds;
  return is_selected(alert, options.alert.ids, options.labels) &&
         (options.alert.severity.empty() || name_of(alert.severity) == options.alert.severity) &&
         (kinds.size() != 1 || glob_matches(kinds.front(), name_of(alert.kind))) &&
         (options.alert.all || alert.suppressed_by.empty());
}

// "no alert fires that fits wall-* --kind output_*": the silence of a filter is no word about the rest.
std::string none_text(const Options& options) {
  const AlertOptions& asked = options.alert;
  std::vector<std::string> words = asked.ids;
  for (const std::string& label : options.labels) words.push_back("-l " + label);
  if (!asked.severity.empty()) words.push_back("--severity " + asked.severity);
  for (const std::string& kind : asked.kinds) words.push_back("--kind " + kind);
  std::string text = asked.history ? "no alert has ended yet" : "no alert fires";
  if (!words.empty()) text += safe_text(fmt::format(" that fits {}", fmt::join(words, " ")));
  if (asked.since)
    text += fmt::format(" {} changed in the last {}", words.empty() ? "that" : "and", age_text(to_ms(*asked.since)));
  return text;
}

// What fires, was asked for and is left out, since others or maintenance explain it.
Outcome<std::vector<msg::Alert>> fetch_hidden(Session& session) {
  Options all = session.options;
  if (all.alert.all || all.alert.history) return std::vector<msg::Alert>();
  all.alert.all = true;
  const Outcome<std::vector<msg::Value>> raw = fetch_all(session.bus, "bus.alert", "list", list_params(all));
  if (!raw) return tl::unexpected<Failure>(raw.error());
  Outcome<std::vector<msg::Alert>> alerts = read_alerts(*raw, "list");
  // One that fired since the list was read is not hidden.
  if (alerts) std::erase_if(*alerts, [](const msg::Alert& alert) { return alert.suppressed_by.empty(); });
  return alerts;
}

Outcome<ExitCode> say_none(Session& session) {
  const Options& options = session.options;
  const std::vector<std::string>& ids = options.alert.ids;
  const Outcome<std::vector<msg::Alert>> hidden = fetch_hidden(session);
  if (!hidden) return tl::unexpected<Failure>(hidden.error());
  session.console.note(none_text(options) + hidden_text(*hidden));
  if (!hidden->empty()) return ExitCode::kDone;
  // A host, a site, the fleet and the bus are none of the compositors.
  const auto is_other = [](const std::string& id) { return id.starts_with('@'); };
  if (ids.empty() && options.labels.empty()) return ExitCode::kDone;
  if (std::any_of(ids.begin(), ids.end(), is_other)) return ExitCode::kDone;
  const Outcome<std::string> nobody = nobody_fits_text(session.bus, ids, options.labels);
  if (!nobody) return tl::unexpected<Failure>(nobody.error());
  if (!nobody->empty()) session.console.note(*nobody);
  return ExitCode::kDone;
}

// What fires, then each change as it comes, also what was missed.
class AlertWatch {
 public:
  explicit AlertWatch(Session& session) : session_(session), live_(session, {"alert"}) {}

  Outcome<ExitCode> run() {
    const Outcome<void> started = live_.start();
    if (!started) return tl::unexpected<Failure>(started.error());
    for (;;) {
      feed::FeedOutputs out;
      const Outcome<bool> goes_on = live_.next(out);
      if (!goes_on) return tl::unexpected<Failure>(goes_on.error());
      if (!*goes_on) return ExitCode::kDone;
      for (const feed::AlertChange& change : out.alerts) {
        if (const Outcome<void> shown = show(change.alert); !shown) return tl::unexpected<Failure>(shown.error());
        if (session_.options.count && lines_ >= *session_.options.count) return ExitCode::kDone;
      }
    }
  }

 private:
  // What was shown is followed to its end.
  Outcome<void> show(const msg::Alert& alert) {
    if (!is_meant(session_.options, alert) && !shown_.contains(alert.alert)) return {};
    if (alert.state == msg::AlertState::kFiring) {
      shown_.insert(alert.alert);
    } else {
      shown_.erase(alert.alert);
    }
    ++lines_;
    return session_.console.print_line(session_.options.json ? safe_json(to_value(alert))
                                                             : alert_line(alert, session_.console.coloured()));
  }

  Session& session_;
  LiveView live_;
  std::set<std::string> shown_;
  std::uint64_t lines_ = 0;
};

Outcome<ExitCode> make_window(Session& session, const std::string& method) {
  const Options& options = session.options;
  msg::Value params = msg::Value::map({{"author", author_of(options)}});
  msg::Value selector = selector_of(options.alert.ids, options.labels);
  if (selector.is_null())
    return give_up(ExitCode::kUsage, "which ones? a pattern of ids, as '*', or -l KEY=VALUE is needed");
  params.set("selector", std::move(selector));
  if (!options.alert.comment.empty()) params.set("comment", options.alert.comment);
  if (options.alert.length) params.set("for_ms", to_ms(*options.alert.length));
  if (options.alert.begins_in) params.set("from", unix_now().ms + to_ms(*options.alert.begins_in));
  if (!options.alert.kinds.empty()) {
    msg::Value kinds = msg::Value::array();
    for (const std::string& kind : options.alert.kinds) kinds.push(kind);
    params.set("kinds", std::move(kinds));
  }
  const Outcome<msg::Value> made = session.bus.ask("bus.alert", method, std::move(params));
  if (!made) return tl::unexpected<Failure>(made.error());
  return done(session.console.print_line(options.json ? safe_json(*made) : text_at(*made, "window")));
}

Outcome<ExitCode> end_window(Session& session, const std::string& method) {
  const msg::Value params = msg::Value::map({{"window", session.options.alert.window}});
  const Outcome<msg::Value> ended = session.bus.ask("bus.alert", method, params);
  if (!ended) return tl::unexpected<Failure>(ended.error());
  return done(
      session.console.print_line(session.options.json ? safe_json(*ended) : text_at(*ended, "window") + " is over"));
}

Outcome<ExitCode> list_windows(Session& session, const std::string& method, std::string_view none) {
  const Outcome<msg::Value> result = session.bus.ask("bus.alert", method);
  if (!result) return tl::unexpected<Failure>(result.error());
  const msg::Value* windows = result->find("windows");
  if (windows == nullptr || !windows->is_array())
    return give_up(ExitCode::kLocal, "bus.alert: windows: an array expected");
  if (session.options.json) return done(session.console.print_line(safe_json(*windows, 2)));
  std::vector<msg::AlertWindow> all;
  for (const msg::Value& window : *windows->if_array()) {
    Outcome<msg::AlertWindow> parsed = read_as<msg::AlertWindow>(window, "bus.alert " + method);
    if (!parsed) return tl::unexpected<Failure>(parsed.error());
    all.push_back(std::move(*parsed));
  }
  if (all.empty()) {
    session.console.note(none);
    return ExitCode::kDone;
  }
  return done(session.console.print(window_table(all, unix_now(), session.console.coloured())));
}

}  // namespace

Outcome<ExitCode> run_alerts(Session& session) {
  const Options& options = session.options;
  if (options.alert.watch) {
    AlertWatch watch(session);
    Outcome<ExitCode> ended = watch.run();
    if (!ended && ended.error().code == ExitCode::kInterrupted) return ExitCode::kDone;
    return ended;
  }
  const std::string method = options.alert.history ? "history" : "list";
  const Outcome<std::vector<msg::Value>> raw = fetch_all(session.bus, "bus.alert", method, list_params(options));
  if (!raw) return tl::unexpected<Failure>(raw.error());
  const Outcome<std::vector<msg::Alert>> alerts = read_alerts(*raw, method);
  if (!alerts) return tl::unexpected<Failure>(alerts.error());
  if (options.json) {
    msg::Value json = msg::Value::array();
    for (const msg::Value& alert : *raw) json.push(alert);
    return done(session.console.print_line(safe_json(json, 2)));
  }
  if (alerts->empty()) return say_none(session);
  return done(session.console.print(alert_table(*alerts, unix_now(), session.console.coloured())));
}

Outcome<ExitCode> run_ack(Session& session) {
  const Options& options = session.options;
  msg::Value params = msg::Value::map({{"alert", options.alert.alert}, {"author", author_of(options)}});
  if (!options.alert.comment.empty()) params.set("comment", options.alert.comment);
  const Outcome<msg::Value> result = session.bus.ask("bus.alert", "ack", std::move(params));
  if (!result) return tl::unexpected<Failure>(result.error());
  if (options.json) return done(session.console.print_line(safe_json(*result, 2)));
  const Outcome<msg::Alert> alert = read_as<msg::Alert>(*result, "bus.alert ack");
  if (!alert) return tl::unexpected<Failure>(alert.error());
  return done(session.console.print_line(alert_line(*alert, session.console.coloured())));
}

Outcome<ExitCode> run_silence_add(Session& session) { return make_window(session, "silence.add"); }
Outcome<ExitCode> run_silence_ls(Session& session) {
  return list_windows(session, "silence.list", "there is no silence");
}
Outcome<ExitCode> run_silence_expire(Session& session) { return end_window(session, "silence.expire"); }
Outcome<ExitCode> run_maintenance_start(Session& session) { return make_window(session, "maintenance.start"); }
Outcome<ExitCode> run_maintenance_ls(Session& session) {
  return list_windows(session, "maintenance.list", "nothing is in maintenance");
}
Outcome<ExitCode> run_maintenance_stop(Session& session) { return end_window(session, "maintenance.stop"); }

}  // namespace compositord::ctl
