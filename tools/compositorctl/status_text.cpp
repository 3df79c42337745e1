#include "tools/compositorctl/status_text.h"

#include <algorithm>

#include <fmt/format.h>

namespace compositord::ctl {

namespace {

std::string since_text(UnixMs since, UnixMs now) {
  return fmt::format("since {} ({})", time_text(since), age_text(now.ms - since.ms));
}

std::string progress_text(const msg::ProgressFact& progress) {
  std::string text(name_of(progress.state));
  if (!progress.cause.empty()) text += fmt::format(" ({})", safe_text(progress.cause));
  if (progress.round_trip_ms) text += fmt::format(", last answer took {:.3g} ms", *progress.round_trip_ms);
  return text;
}

// An output, or a fact: its name, its state, and how old that is.
void add_fact(Table& table, std::string name, Cell state, UnixMs since, UnixMs observed_at, UnixMs now) {
  table.add({{std::move(name)},
             std::move(state),
             {since_text(since, now)},
             {fmt::format("seen {} ago", age_text(now.ms - observed_at.ms))}});
}

// "progress slow → ok, outputs 1/2 → 2/2": the facts that differ.
std::string differences_text(const msg::Status& before, const msg::Status& after) {
  std::string text;
  const auto compare = [&](std::string_view fact, std::string_view a, std::string_view b) {
    if (a != b) text += fmt::format("{}{} {} → {}", text.empty() ? "" : ", ", fact, a, b);
  };
  compare("link", name_of(before.link.state), name_of(after.link.state));
  compare("process", process_text(before.process), process_text(after.process));
  compare("progress", name_of(before.progress.state), name_of(after.progress.state));
  compare("outputs", outputs_text(before), outputs_text(after));
  return text;
}

}  // namespace

Colour colour_of(msg::Verdict verdict) {
  switch (verdict) {
    case msg::Verdict::kOk: return Colour::kGreen;
    case msg::Verdict::kDegraded: return Colour::kYellow;
    case msg::Verdict::kDown: return Colour::kRed;
    case msg::Verdict::kUnknown: return Colour::kMagenta;
    case msg::Verdict::kMaintenance: return Colour::kDim;
  }
  return Colour::kNone;
}

Colour colour_of(msg::Link link) {
  switch (link) {
    case msg::Link::kConnected: return Colour::kNone;
    case msg::Link::kSuspect: return Colour::kYellow;
    case msg::Link::kLost:
    case msg::Link::kLeft: return Colour::kMagenta;
  }
  return Colour::kNone;
}

std::string process_text(const msg::ProcessFact& process) {
  if (process.state == msg::Process::kExited && process.code) return fmt::format("exited({})", *process.code);
  if (process.state == msg::Process::kKilled && process.signal) return fmt::format("killed({})", *process.signal);
  return std::string(name_of(process.state));
}

std::string outputs_text(const msg::Status& status) {
  const auto on = std::count_if(status.outputs.begin(), status.outputs.end(),
                                [](const auto& output) { return output.state == msg::OutputState::kOn; });
  return fmt::format("{}/{}", on, status.outputs.size());
}

std::string labels_text(const std::map<std::string, std::string>& labels) {
  std::string text;
  for (const auto& [key, value] : labels) text += fmt::format("{}{}={}", text.empty() ? "" : " ", key, value);
  return safe_text(text);
}

std::string software_text(const std::string& name, const std::string& version) {
  if (name.empty()) return {};
  return safe_text(version.empty() ? name : name + " " + version);
}

std::string metrics_text(const msg::Metrics& metrics) {
  std::string text;
  const auto add = [&](std::string_view figure) { text += fmt::format("{}{}", text.empty() ? "" : " · ", figure); };
  const auto add_count = [&](const std::optional<std::uint64_t>& count, std::string_view what) {
    if (count) add(counted(*count, what));
  };
  if (metrics.probe_p50_us && metrics.probe_p99_us) {
    add(fmt::format("round trip p50 {}, p99 {}", round_trip_text(*metrics.probe_p50_us),
                    round_trip_text(*metrics.probe_p99_us)));
  }
  if (metrics.rss_bytes) add(memory_text(*metrics.rss_bytes));
  if (metrics.cpu_percent) add(fmt::format("{:.1f} % CPU", *metrics.cpu_percent));
  add_count(metrics.clients, "client");
  add_count(metrics.restarts, "restart");
  return text;
}

std::string show_text(const msg::Status& status, const std::optional<KnownManifest>& manifest, UnixMs now,
                      bool coloured) {
  const std::string verdict = paint(name_of(status.verdict), colour_of(status.verdict), coloured);
  std::string text = fmt::format("{} is {} {}\n", safe_text(status.id), verdict, since_text(status.since, now));
  if (!status.reason.empty()) {
    text += fmt::format("  reason      {} (layer {})\n", safe_text(status.reason), safe_text(status.layer));
  }
  text += fmt::format("  summary     {}\n", safe_text(status.summary));
  if (!status.labels.empty()) text += fmt::format("  labels      {}\n", labels_text(status.labels));
  if (manifest) {
    text += fmt::format("  compositor  {} (described {} ago)\n",
                        software_text(manifest->manifest.name, manifest->manifest.version),
                        age_text(manifest->freshness.age_ms));
  } else {
    text += "  compositor  never described\n";
  }
  const std::string measured = status.metrics ? metrics_text(*status.metrics) : std::string();
  if (!measured.empty()) text += fmt::format("  measured    {}\n", measured);
  Table facts({"FACT", "STATE", "SINCE", "OBSERVED"});
  add_fact(facts, "link", {std::string(name_of(status.link.state)), colour_of(status.link.state)}, status.link.since,
           status.link.observed_at, now);
  add_fact(facts, "process", {process_text(status.process)}, status.process.since, status.process.observed_at, now);
  add_fact(facts, "progress", {progress_text(status.progress)}, status.progress.since, status.progress.observed_at,
           now);
  for (const msg::OutputFact& output : status.outputs) {
    add_fact(facts, "output " + safe_text(output.name), {std::string(name_of(output.state))}, output.since,
             output.observed_at, now);
  }
  const bool link_down = status.link.state == msg::Link::kLost || status.link.state == msg::Link::kLeft;
  if (link_down) text += "  The agent is away: all but the link is what it last said.\n";
  return text + facts.to_text(coloured, "  ");
}

std::string crash_text(const msg::Crash& crash, UnixMs now) {
  constexpr std::size_t kLinesShownMax = 10;
  std::string text = fmt::format("  last crash  process {} {}, {} ago\n", crash.pid, safe_text(crash.text),
                                 age_text(now.ms - crash.at.ms));
  const std::size_t first = crash.log.size() - std::min(crash.log.size(), kLinesShownMax);
  for (std::size_t i = first; i < crash.log.size(); ++i) text += fmt::format("    {}\n", safe_text(crash.log[i]));
  return text;
}

std::string change_line(const feed::StatusChange& change, bool coloured) {
  const msg::Status& status = change.status;
  std::string verdict = paint(name_of(status.verdict), colour_of(status.verdict), coloured);
  if (change.before && change.before->verdict != status.verdict) {
    verdict = fmt::format("{} → {}", name_of(change.before->verdict), verdict);
  }
  std::string line = fmt::format("{}  {}  {}", time_text(change.time), safe_text(status.id), verdict);
  if (!status.reason.empty()) line += "  " + safe_text(status.reason);
  if (!change.before || change.before->verdict != status.verdict || change.before->reason != status.reason) return line;
  const std::string differences = differences_text(*change.before, status);
  return differences.empty() ? line : line + "  " + differences;
}

}  // namespace compositord::ctl
