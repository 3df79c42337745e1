#include "tools/compositorctl/manifest_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "tools/compositorctl/status_text.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

std::string state_of(const msg::Status& status, const std::string& output) {
  const auto it = std::find_if(status.outputs.begin(), status.outputs.end(),
                               [&](const msg::OutputFact& fact) { return fact.name == output; });
  return it == status.outputs.end() ? "" : std::string(name_of(it->state));
}

std::string modes_text(const msg::Output& output) {
  constexpr std::size_t kShownMax = 4;
  if (output.modes.empty()) return "any";
  std::string text;
  for (std::size_t i = 0; i < std::min(kShownMax, output.modes.size()); ++i) {
    text += (i == 0 ? "" : " ") + mode_text(output.modes[i]);
  }
  if (output.modes.size() > kShownMax) text += fmt::format(" +{}", output.modes.size() - kShownMax);
  return text;
}

std::string monitor_text(const msg::Output& output) {
  std::string text;
  for (const std::string* part : {&output.make, &output.model, &output.serial}) {
    if (!part->empty()) text += (text.empty() ? "" : " ") + *part;
  }
  if (output.width_mm > 0)
    text += fmt::format("{}{}x{} mm", text.empty() ? "" : ", ", output.width_mm, output.height_mm);
  return safe_text(text);
}

std::string outputs_part(const msg::Manifest& manifest, const msg::Status& status, bool coloured) {
  if (manifest.outputs.empty()) return "outputs: none\n";
  Table table({"OUTPUT", "STATE", "MODE", "SCALE", "POSITION", "TRANSFORM", "MONITOR", "MODES"});
  for (const msg::Output& output : manifest.outputs) {
    table.add({{safe_text(output.name)},
               {state_of(status, output.name)},
               {output.current_mode ? mode_text(*output.current_mode) : "off"},
               {number_text(output.scale)},
               {fmt::format("{},{}", output.x, output.y)},
               {std::string(name_of(output.transform))},
               {monitor_text(output)},
               {modes_text(output)}});
  }
  return "outputs:\n" + table.to_text(coloured, "  ");
}

std::string commands_part(const msg::Manifest& manifest, bool coloured) {
  if (manifest.commands.empty()) return "commands: none\n";
  Table table({"COMMAND", "SUPPORTED", "WHY NOT"});
  for (const msg::CommandSupport& command : manifest.commands) {
    table.add({{safe_text(command.name)},
               {command.supported ? "yes" : "no", command.supported ? Colour::kGreen : Colour::kYellow},
               {safe_text(command.reason)}});
  }
  return "commands:\n" + table.to_text(coloured, "  ");
}

std::string protocols_part(const msg::Manifest& manifest, bool coloured) {
  if (manifest.protocols.empty()) return "protocols: none\n";
  Table table({"PROTOCOL", "VERSION"});
  for (const msg::Protocol& protocol : manifest.protocols) {
    table.add({{safe_text(protocol.name)}, {std::to_string(protocol.version)}});
  }
  return fmt::format("protocols ({}):\n", manifest.protocols.size()) + table.to_text(coloured, "  ");
}

std::string inputs_part(const msg::Manifest& manifest, bool coloured) {
  if (manifest.inputs.empty()) return "inputs: none\n";
  Table table({"INPUT", "KIND"});
  for (const msg::InputDevice& input : manifest.inputs) table.add({{safe_text(input.name)}, {safe_text(input.kind)}});
  return "inputs:\n" + table.to_text(coloured, "  ");
}

std::string compositor_part(const msg::Manifest& manifest) {
  std::string text = fmt::format("compositor: {}", software_text(manifest.name, manifest.version));
  if (!manifest.version_source.empty()) text += fmt::format(" (version from {})", safe_text(manifest.version_source));
  text += fmt::format("\ndisplay: {} ({})\n", safe_text(manifest.display), name_of(manifest.kind));
  if (manifest.pid != 0) text += fmt::format("process: {} {}\n", manifest.pid, safe_text(manifest.executable));
  if (!manifest.driver.empty()) text += fmt::format("driver: {}\n", safe_text(manifest.driver));
  return text;
}

}  // namespace

std::string freshness_text(const Freshness& freshness, const msg::Status& status) {
  // The broker's calendar, not ours: its manifest was described at observed_at, age_ms ago.
  const std::int64_t now_ms = freshness.observed_at.ms + freshness.age_ms;
  const auto ago = [&](UnixMs time) { return age_text(now_ms - time.ms); };
  if (status.link.state == msg::Link::kLost || status.link.state == msg::Link::kLeft) {
    return fmt::format(
        "Its agent {}: whether the compositor is still like this is not known. This is what it was {} ago.",
        status.link.state == msg::Link::kLost ? "is lost" : "has signed off", ago(freshness.last_seen));
  }
  const msg::Process process = status.process.state;
  const bool ended = process == msg::Process::kExited || process == msg::Process::kKilled;
  const bool never_found = process == msg::Process::kUnknown && status.layer == "process";
  if (ended || never_found) {
    const std::string how = ended ? fmt::format(" ({})", process_text(status.process)) : "";
    return fmt::format("The compositor is off{}; this is what it was {} ago.", how, ago(status.process.since));
  }
  if (status.link.state == msg::Link::kSuspect) {
    return fmt::format("Its agent may be gone (suspect for {}); this is what it said last.", ago(status.link.since));
  }
  return fmt::format("This is what it is: its agent is connected and tells every change (the last one {} ago).",
                     age_text(freshness.age_ms));
}

std::string manifest_text(const KnownManifest& known, const msg::Status& status, bool coloured) {
  const Freshness& freshness = known.freshness;
  std::string text = fmt::format("{}  link {}, verdict {}\n", safe_text(freshness.id),
                                 paint(name_of(status.link.state), colour_of(status.link.state), coloured),
                                 paint(name_of(status.verdict), colour_of(status.verdict), coloured));
  text += freshness_text(freshness, status) + '\n';
  text += fmt::format("described {} ago, revision {}, hash {}{}\n\n", age_text(freshness.age_ms), freshness.revision,
                      safe_text(freshness.hash), freshness.stored ? "" : ", NOT on the broker's disk");
  const msg::Manifest& manifest = known.manifest;
  text += compositor_part(manifest) + '\n';
  text += outputs_part(manifest, status, coloured) + '\n';
  text += commands_part(manifest, coloured) + '\n';
  text += inputs_part(manifest, coloured) + '\n';
  return text + protocols_part(manifest, coloured);
}

}  // namespace compositord::ctl
