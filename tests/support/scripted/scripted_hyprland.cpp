// Hyprland's two sockets, as wiki.hypr.land describes them ("IPC", "Using hyprctl", "Monitors", 0.54), with its rounding:
// two decimals for scales and for the refresh rates of the list of modes, five for the current one.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include <fmt/format.h>

#include "tests/support/scripted/scripted_ipc.h"

namespace compositord::test {

namespace {

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream{std::string(text)};
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

std::string monitor_json(const ScriptedOutput& o, int id) {
  std::string modes;
  for (const ScriptedMode& m : o.modes) {
    modes += fmt::format("{}\"{}x{}@{:.2f}Hz\"", modes.empty() ? "" : ",", m.width, m.height, m.refresh_mhz / 1000.0);
  }
  return fmt::format(
      R"({{"id": {}, "name": "{}", "description": "ACME Wall {}", "make": "ACME", "model": "Wall", "serial": "0x{:04}",
"width": {}, "height": {}, "refreshRate": {:.5f}, "x": {}, "y": {}, "scale": {:.2f}, "transform": {}, "focused": false,
"dpmsStatus": {}, "vrr": false, "disabled": {}, "currentFormat": "XRGB8888", "mirrorOf": "none", "availableModes": [{}]}})",
      id, o.name, id, id, o.mode.width, o.mode.height, o.mode.refresh_mhz / 1000.0, o.x, o.y, o.scale, o.transform,
      o.powered, !o.active, modes);
}

// The mode of the list that is nearest to "1920x1080@59.951", "1280x720" or "preferred".
ScriptedMode pick(const ScriptedOutput& o, const std::string& wanted) {
  if (wanted == "preferred") return o.modes.front();
  int width = 0;
  int height = 0;
  double hertz = 60;
  if (std::sscanf(wanted.c_str(), "%dx%d@%lf", &width, &height, &hertz) < 2) return o.mode;
  const ScriptedMode* best = nullptr;
  const auto distance = [&](const ScriptedMode& m) { return std::abs(m.refresh_mhz - hertz * 1000); };
  for (const ScriptedMode& m : o.modes) {
    if (m.width != width || m.height != height) continue;
    if (best == nullptr || distance(m) < distance(*best)) best = &m;
  }
  return best == nullptr ? o.modes.front() : *best;
}

std::string set_rule(std::string_view text, ScriptedOutputs& outputs) {
  const std::vector<std::string> fields = split(text, ',');
  ScriptedOutput* output = fields.empty() ? nullptr : find_scripted(outputs, fields.front());
  if (output == nullptr) return "ok";  // a rule for a monitor that may come
  if (fields.size() == 2 && fields[1] == "disable") {
    output->active = false;
    return "ok";
  }
  if (fields.size() < 4) return "not enough args";
  output->active = true;
  output->mode = pick(*output, fields[1]);
  if (fields[2] != "auto") std::sscanf(fields[2].c_str(), "%dx%d", &output->x, &output->y);
  // Scales are whole 120ths.
  if (fields[3] != "auto") output->scale = std::round(std::strtod(fields[3].c_str(), nullptr) * 120) / 120;
  output->transform = fields.size() >= 6 && fields[4] == "transform" ? std::atoi(fields[5].c_str()) : 0;
  return "ok";
}

std::string set_power(std::string_view text, ScriptedOutputs& outputs) {
  const std::vector<std::string> words = split(text, ' ');
  ScriptedOutput* output = words.size() == 2 ? find_scripted(outputs, words[1]) : nullptr;
  if (output != nullptr) output->powered = words[0] == "on";
  return "ok";
}

std::string create_headless(ScriptedOutputs& outputs) {
  const ScriptedMode mode{1920, 1080, 60000};
  int x = 0;
  for (const ScriptedOutput& o : outputs) x = std::max(x, o.x + o.mode.width);
  ScriptedOutput made{fmt::format("HEADLESS-{}", outputs.size()), {mode, {1280, 720, 60000}}, mode};
  made.x = x;
  outputs.push_back(made);
  return "ok";
}

class ScriptedHyprland : public ScriptedIpc {
 public:
  bool is_request(std::string_view bytes) const override { return !bytes.empty(); }  // Hyprland reads once
  Answer answer(std::string_view request, ScriptedOutputs& outputs) const override {
    constexpr std::string_view kMonitor = "/keyword monitor ";
    constexpr std::string_view kPower = "/dispatch dpms ";
    if (request == "j/version") return {R"({"branch": "main", "version": "0.45.2", "tag": "v0.45.2", "flags": []})"};
    if (request == "j/monitors all") {
      std::string list;
      for (const ScriptedOutput& o : outputs) list += (list.empty() ? "" : ",") + monitor_json(o, int(list.size()));
      return {"[" + list + "]", false, true};
    }
    if (request == "j/devices") {
      return {R"({"mice": [{"address": "0x1", "name": "acme-mouse"}], "keyboards": [{"name": "acme-keyboard"}],
                  "tablets": [], "touch": [], "switches": []})"};
    }
    if (request == "/reload") {
      Answer done{"ok"};
      done.of_reload = true;
      return done;
    }
    if (request == "j/configerrors") {
      Answer errors{"[\n\t\"\"\n]\n"};
      errors.if_bad =
          "[\n\t\"Config error in file hyprland.conf at line 3: config option <nonsense> does not exist.\"\n]\n";
      return errors;
    }
    if (request.starts_with(kMonitor)) return {set_rule(request.substr(kMonitor.size()), outputs), true};
    if (request.starts_with(kPower)) return {set_power(request.substr(kPower.size()), outputs), true};
    if (request == "/output create headless") return {create_headless(outputs), true};
    return {"unknown request"};
  }
  std::string refusal() const override { return "keyword can't work with non-legacy parsers. Use eval.\n"; }
  std::string hotplug_event(const std::string& output, bool came) const override {
    return fmt::format("{}>>{}\n", came ? "monitoradded" : "monitorremoved", output);
  }
  // It does not tell whether anything was wrong.
  std::string reload_event(bool) const override { return "configreloaded>>\n"; }
  bool has_event_socket() const override { return true; }
};

}  // namespace

std::unique_ptr<ScriptedIpc> scripted_hyprland() { return std::make_unique<ScriptedHyprland>(); }

}  // namespace compositord::test
