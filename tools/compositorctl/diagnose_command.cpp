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

// What the alerts say of one compositor.
struct Findings {
  std::vector<msg::Alert> about_it;  // its own, and of what it shares with others; the likeliest cause first
  std::vector<msg::Alert> also;      // of the bus itself, and its news: told, but nothing that explains how it does
};

void sort_in(Findings& findings, msg::Alert alert, const std::string& id) {
  if (alert.id == "@bus") return findings.also.push_back(std::move(alert));
  const bool shared = std::find(alert.members.begin(), alert.members.end(), id) != alert.members.end();
  if (alert.id != id && !shared) return;
  std::vector<msg::Alert>& list = is_news(alert.kind) ? findings.also : findings.about_it;
  list.push_back(std::move(alert));
}

// The first that explains others comes first: what is lost together, then the worst.
bool likelier(const msg::Alert& a, const msg::Alert& b) {
  const auto rank = [](const msg::Alert& alert) {
    return std::pair(alert.suppressed_by.empty() ? 1 : 0, static_cast<int>(alert.severity));
  };
  return rank(a) > rank(b);
}

struct Cause {
  std::string text;  // empty when nothing is known to be wrong
  std::string advice;
};

Cause cause_of(const msg::Status& status, const Findings& findings) {
  if (findings.about_it.empty()) return {status.reason, {}};
  return {findings.about_it.front().text, findings.about_it.front().advice};
}

std::string evidence_of(const msg::Alert& alert, UnixMs now) {
  std::string text = fmt::format("  - {} alert of {} {} for {}: {}\n", name_of(alert.severity), safe_text(alert.id),
                                 safe_text(alert.about), age_text(now.ms - alert.since.ms), safe_text(alert.text));
  if (!alert.seen.empty()) text += fmt::format("    {}\n", safe_text(alert.seen));
  if (const std::string note = alert_note(alert); !note.empty()) text += fmt::format("    {}\n", note);
  return text;
}

std::string cause_text(const msg::Status& status, const Cause& cause) {
  const bool ok = status.verdict == msg::Verdict::kOk;
  if (cause.text.empty() && ok) return "Nothing is wrong with it as far as the bus can see.\n";
  if (cause.text.empty()) return "The bus does not know why.\n";
  std::string text =
      fmt::format("{}: {}\n", ok ? "An alert fires all the same" : "Likely cause", safe_text(cause.text));
  if (!cause.advice.empty()) text += fmt::format("Try: {}\n", safe_text(cause.advice));
  return text;
}

std::string diagnosis(const msg::Status& status, const Findings& findings, UnixMs now, bool coloured) {
  const std::string verdict = paint(name_of(status.verdict), colour_of(status.verdict), coloured);
  std::string text = fmt::format("{} is {}\n", safe_text(status.id), verdict);
  text += cause_text(status, cause_of(status, findings));
  text += "Evidence:\n";
  for (const msg::Alert& alert : findings.about_it) text += evidence_of(alert, now);
  if (!status.reason.empty()) {
    text += fmt::format("  - verdict {} for {}: {}\n", name_of(status.verdict), age_text(now.ms - status.since.ms),
                        safe_text(status.reason));
  }
  text += fmt::format("  - link {} for {}, process {}, progress {}", name_of(status.link.state),
                      age_text(now.ms - status.link.since.ms), process_text(status.process),
                      name_of(status.progress.state));
  if (status.progress.round_trip_ms)
    text += fmt::format(" (last answer after {:.3g} ms)", *status.progress.round_trip_ms);
  text += fmt::format(", outputs on {}\n", outputs_text(status));
  const std::string measured = status.metrics ? metrics_text(*status.metrics) : std::string();
  if (!measured.empty()) text += fmt::format("  - measured: {}\n", measured);
  if (!findings.also.empty()) text += "Also (of the bus itself, or mere news):\n";
  for (const msg::Alert& alert : findings.also) text += evidence_of(alert, now);
  return text;
}

msg::Value to_array(const std::vector<msg::Alert>& alerts) {
  msg::Value array = msg::Value::array();
  for (const msg::Alert& alert : alerts) array.push(to_value(alert));
  return array;
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
  Findings findings;
  for (const msg::Value& value : *all) {
    Outcome<msg::Alert> alert = read_as<msg::Alert>(value, "bus.alert list");
    if (!alert) return tl::unexpected<Failure>(alert.error());
    sort_in(findings, std::move(*alert), id);
  }
  std::stable_sort(findings.about_it.begin(), findings.about_it.end(), likelier);
  if (session.options.json) {
    const Cause cause = cause_of(*status, findings);
    const msg::Value json = msg::Value::map({{"id", id},
                                             {"cause", cause.text},
                                             {"advice", cause.advice},
                                             {"alerts", to_array(findings.about_it)},
                                             {"also", to_array(findings.also)},
                                             {"status", std::move(*raw)}});
    return done(session.console.print_line(safe_json(json, 2)));
  }
  std::string text = diagnosis(*status, findings, unix_now(), session.console.coloured());
  if (const msg::Value* value = raw->find("crash")) {
    const Outcome<msg::Crash> crash = read_as<msg::Crash>(*value, "the crash of " + id);
    if (!crash) return tl::unexpected<Failure>(crash.error());
    text += crash_text(*crash, unix_now());
  }
  return done(session.console.print(text));
}

}  // namespace compositord::ctl
