// diagnose: one likely cause of what is wrong with a compositor, what speaks for it, and what to try.

#include <algorithm>

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tools/compositorctl/alert_text.h"
#include "tools/compositorctl/fleet.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/status_text.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

// Whether the alert has to do with the compositor: it is its own, or of what it shares with others, or of the bus.
bool concerns(const msg::Alert& alert, const std::string& id) {
  if (alert.id == id || alert.id == "@bus") return true;
  return std::find(alert.members.begin(), alert.members.end(), id) != alert.members.end();
}

// The first that explains others comes first: what is lost together, then the worst.
bool likelier(const msg::Alert& a, const msg::Alert& b) {
  const auto rank = [](const msg::Alert& alert) {
    const int severity = static_cast<int>(alert.severity);
    const bool explains = alert.suppressed_by.empty() && alert.id != "@bus";
    return std::pair(explains ? 1 : 0, severity);
  };
  return rank(a) > rank(b);
}

std::string evidence_of(const msg::Alert& alert, UnixMs now) {
  std::string text = fmt::format("  - {} alert of {} {} for {}: {}\n", name_of(alert.severity), safe_text(alert.id),
                                 safe_text(alert.about), age_text(now.ms - alert.since.ms), safe_text(alert.text));
  if (!alert.seen.empty()) text += fmt::format("    {}\n", safe_text(alert.seen));
  if (const std::string note = alert_note(alert); !note.empty()) text += fmt::format("    {}\n", note);
  return text;
}

std::string diagnosis(const msg::Status& status, const std::vector<msg::Alert>& alerts, UnixMs now, bool coloured) {
  const std::string verdict = paint(name_of(status.verdict), colour_of(status.verdict), coloured);
  std::string text = fmt::format("{} is {}\n", safe_text(status.id), verdict);
  if (alerts.empty()) {
    text += status.reason.empty() ? "Nothing is wrong with it as far as the bus can see.\n"
                                  : fmt::format("Likely cause: {}\n", safe_text(status.reason));
  } else {
    text +=
        fmt::format("Likely cause: {}\nTry: {}\n", safe_text(alerts.front().text), safe_text(alerts.front().advice));
  }
  text += "Evidence:\n";
  for (const msg::Alert& alert : alerts) text += evidence_of(alert, now);
  text += fmt::format("  - link {} for {}, process {}, progress {}", name_of(status.link.state),
                      age_text(now.ms - status.link.since.ms), process_text(status.process),
                      name_of(status.progress.state));
  if (status.progress.round_trip_ms)
    text += fmt::format(" (last answer after {:.3g} ms)", *status.progress.round_trip_ms);
  text += fmt::format(", outputs on {}\n", outputs_text(status));
  const std::string measured = status.metrics ? metrics_text(*status.metrics) : std::string();
  if (!measured.empty()) text += fmt::format("  - measured: {}\n", measured);
  return text;
}

}  // namespace

Outcome<ExitCode> run_diagnose(Session& session) {
  const std::string& id = session.options.id;
  Outcome<msg::Value> raw = fetch_status(session.bus, id);
  if (!raw) return tl::unexpected<Failure>(std::move(raw.error()));
  const Outcome<msg::Status> status = read_as<msg::Status>(*raw, "the status of " + id);
  if (!status) return tl::unexpected<Failure>(status.error());
  const Outcome<std::vector<msg::Value>> all = fetch_all(session.bus, "bus.alert", "list");
  if (!all) return tl::unexpected<Failure>(all.error());
  std::vector<msg::Alert> alerts;
  for (const msg::Value& value : *all) {
    Outcome<msg::Alert> alert = read_as<msg::Alert>(value, "bus.alert list");
    if (!alert) return tl::unexpected<Failure>(alert.error());
    if (concerns(*alert, id)) alerts.push_back(std::move(*alert));
  }
  std::stable_sort(alerts.begin(), alerts.end(), likelier);
  if (session.options.json) {
    msg::Value list = msg::Value::array();
    for (const msg::Alert& alert : alerts) list.push(to_value(alert));
    const msg::Value json = msg::Value::map({{"id", id},
                                             {"cause", alerts.empty() ? status->reason : alerts.front().text},
                                             {"advice", alerts.empty() ? std::string() : alerts.front().advice},
                                             {"alerts", std::move(list)},
                                             {"status", std::move(*raw)}});
    return done(session.console.print_line(safe_json(json, 2)));
  }
  std::string text = diagnosis(*status, alerts, unix_now(), session.console.coloured());
  if (const msg::Value* value = raw->find("crash")) {
    const Outcome<msg::Crash> crash = read_as<msg::Crash>(*value, "the crash of " + id);
    if (!crash) return tl::unexpected<Failure>(crash.error());
    text += crash_text(*crash, unix_now());
  }
  return done(session.console.print(text));
}

}  // namespace compositord::ctl
