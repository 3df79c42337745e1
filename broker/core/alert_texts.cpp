#include "broker/core/alert_texts.h"

#include <algorithm>

#include <fmt/format.h>

namespace compositord::broker {

namespace {

double seconds_since(UnixMs then, UnixMs now) {
  return static_cast<double>(std::max<std::int64_t>(0, now.ms - then.ms)) / 1e3;
}

std::string seen_of_link(const msg::Status& status, UnixMs now) {
  return fmt::format("the link is {}; the compositor was {} when the agent was last heard, {:.1f} s ago",
                     name_of(status.link.state), name_of(status.process.state),
                     seconds_since(status.process.observed_at, now));
}

std::string seen_of_compositor(const msg::Status& status, UnixMs now) {
  std::string seen =
      fmt::format("process {}, progress {}", name_of(status.process.state), name_of(status.progress.state));
  if (status.progress.round_trip_ms) {
    seen += fmt::format(", last answer after {:.2f} ms", *status.progress.round_trip_ms);
  }
  return seen + fmt::format(" for {:.1f} s", seconds_since(status.process.since, now));
}

std::string seen_of_output(const msg::Status& status, const std::string& name) {
  std::string seen;
  for (const msg::OutputFact& output : status.outputs) {
    if (!seen.empty()) seen += ", ";
    seen += fmt::format("{} {}", output.name, name_of(output.state));
  }
  return seen.empty() ? fmt::format("the compositor has no output, {} was its last", name) : seen;
}

}  // namespace

std::string about_of_layer(std::string_view layer) {
  if (layer == "link") return "agent";
  if (layer == "process" || layer == "progress") return "compositor";
  return std::string(layer);
}

std::string seen_of(const msg::Status& status, const Fault& fault, UnixMs now) {
  if (fault.layer == "link") return seen_of_link(status, now);
  if (fault.layer.starts_with("output/")) return seen_of_output(status, fault.layer.substr(7));
  return seen_of_compositor(status, now);
}

std::string_view advice_of(msg::AlertKind kind) noexcept {
  switch (kind) {
    case msg::AlertKind::kAgentLost: return "Is the host up and its network? Is compositor-agent running there?";
    case msg::AlertKind::kAgentLeft: return "The agent was stopped on purpose; start compositor-agent on the host.";
    case msg::AlertKind::kAgentsLost: return "Look for what they share: power, switch, uplink, virtual network.";
    case msg::AlertKind::kCompositorMissing: return "Start the compositor, or give the agent the right display.";
    case msg::AlertKind::kCompositorExited: return "Start it again; `compositor-agent run` does so by itself.";
    case msg::AlertKind::kCompositorCrashed:
      return "Read its last lines (compositorctl show ID) and its core file; start it again.";
    case msg::AlertKind::kCrashLoop:
      return "It is not started any more: read its last lines (compositorctl show ID), mend it, then compositorctl run "
             "ID restart.";
    case msg::AlertKind::kCompositorStopped:
      return "Somebody stopped it (SIGSTOP, a debugger); kill -CONT its process.";
    case msg::AlertKind::kCompositorSlow: return "Look at the load of the host and its graphics card.";
    case msg::AlertKind::kCompositorFrozen: return "Take a stack trace (gdb -p), then restart it.";
    case msg::AlertKind::kCompositorUnknown: return "Look at the agent's log on the host.";
    case msg::AlertKind::kOutputOff: return "Switch it on: compositorctl run ID output.power OUTPUT on.";
    case msg::AlertKind::kOutputLost: return "Look at the cable and the monitor's power.";
    case msg::AlertKind::kOutputUnknown: return "Look at the agent's log on the host.";
    case msg::AlertKind::kOutputNew: return "Nothing, when somebody plugged it in.";
    case msg::AlertKind::kOutputChanged: return "Nothing, when somebody changed it.";
    case msg::AlertKind::kMemoryGrowth:
      return "Look which client it grows with (compositorctl run ID windows); restart it when it suits, report the "
             "leak.";
    case msg::AlertKind::kClockSkew: return "Look at the time service (chrony, systemd-timesyncd) of host and broker.";
    case msg::AlertKind::kStoreTrouble: return "Look at the disk of the state directory: is it full, or read-only?";
    case msg::AlertKind::kQueueFull:
      return "Find who floods the bus (compositorctl req bus.admin stats), or raise the limit.";
    case msg::AlertKind::kSlowSubscriber:
      return "Find its process (ss -tnp): is it stopped, or its network? Let it subscribe to less, or read faster.";
  }
  return {};
}

msg::AlertSeverity usual_severity(msg::AlertKind kind, msg::Verdict verdict) noexcept {
  if (is_news(kind)) return msg::AlertSeverity::kInfo;
  if (kind == msg::AlertKind::kAgentsLost || kind == msg::AlertKind::kStoreTrouble)
    return msg::AlertSeverity::kCritical;
  return severity_of(verdict);
}

}  // namespace compositord::broker
