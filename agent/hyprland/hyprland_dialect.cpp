#include "agent/hyprland/hyprland_dialect.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "agent/ipc/json_fields.h"
#include "common/base/log_event.h"

namespace compositord::agent::hyprland {

namespace {

// Half of the last decimal that Hyprland prints of a mode's refresh rate.
constexpr std::uint32_t kModeRefreshErrorMhz = 5;
// The same of a scale, and as much again for a wish that Hyprland moves to the next 1/120.
constexpr double kScaleError = 0.005 + 1.0 / 240.0 + 1e-9;

constexpr std::size_t kComplaintBytesMax = 512;

// Hertz as a double into millihertz.
std::uint32_t millihertz(double hertz) {
  return static_cast<std::uint32_t>(std::lround(std::clamp(hertz, 0.0, 4e6) * 1000.0));
}

// A number at the beginning of `text`, taken off it.
template <class T>
bool take_number(std::string_view& text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// "2560x1440@59.95Hz"
std::optional<msg::Mode> mode_of(std::string_view text) {
  msg::Mode mode;
  double hertz = 0;
  const bool understood = take_number(text, mode.width_px) && take_char(text, 'x') &&
                          take_number(text, mode.height_px) && take_char(text, '@') && take_number(text, hertz) &&
                          text == "Hz";
  if (!understood) return std::nullopt;
  mode.refresh_mhz = millihertz(hertz);
  return mode;
}

KnownOutput output_of(const msg::Value& map) {
  KnownOutput known;
  msg::Output& o = known.output;
  o.name = text_field(map, "name");
  o.description = text_field(map, "description");
  o.make = text_field(map, "make");
  o.model = text_field(map, "model");
  o.serial = text_field(map, "serial");
  o.scale = number_field(map, "scale", 1.0);
  o.x = integer_field<std::int32_t>(map, "x");
  o.y = integer_field<std::int32_t>(map, "y");
  // Numbered as wl_output numbers them.
  const auto transform = integer_field<std::uint8_t>(map, "transform");
  if (transform <= static_cast<std::uint8_t>(msg::Transform::kFlipped270)) {
    o.transform = static_cast<msg::Transform>(transform);
  }
  known.active = !flag_field(map, "disabled", false);
  known.powered = flag_field(map, "dpmsStatus", true);
  const msg::Mode current{integer_field<std::uint32_t>(map, "width"), integer_field<std::uint32_t>(map, "height"),
                          millihertz(number_field(map, "refreshRate", 0)), false};
  if (known.active) o.current_mode = current;
  const msg::Value::Array* list = array_field(map, "availableModes");
  for (std::size_t i = 0; list != nullptr && i < std::min(list->size(), kIpcModesMax); ++i) {
    const std::string* text = (*list)[i].if_string();
    const auto mode = text == nullptr ? std::nullopt : mode_of(*text);
    if (mode) o.modes.push_back(*mode);
  }
  return known;
}

// The listed mode that a wish means: with Hyprland's own rounding, and with a refresh rate where the wish names none.
const msg::Mode* listed_mode(const OutputCommand& command, const std::vector<msg::Mode>& modes) {
  const auto fits_size = [&](const msg::Mode& mode) {
    if (mode.width_px != command.width_px || mode.height_px != command.height_px) return false;
    if (!command.refresh_mhz) return true;
    const auto [low, high] = std::minmax(mode.refresh_mhz, *command.refresh_mhz);
    return high - low <= kModeRefreshErrorMhz;
  };
  const auto found = std::find_if(modes.begin(), modes.end(), fits_size);
  return found == modes.end() ? nullptr : &*found;
}

// "2560x1440@59.951", or "preferred" for an output that was never on.
std::string mode_text(const OutputCommand& command, const KnownOutput& before) {
  const auto text = [](std::uint32_t width, std::uint32_t height, std::uint32_t refresh_mhz) {
    const std::string size = fmt::format("{}x{}", width, height);
    return refresh_mhz == 0 ? size : fmt::format("{}@{}.{:03}", size, refresh_mhz / 1000, refresh_mhz % 1000);
  };
  const msg::Output& o = before.output;
  if (command.method == OutputMethod::kMode) {
    const msg::Mode* listed = listed_mode(command, o.modes);
    const std::uint32_t refresh = command.refresh_mhz.value_or(listed == nullptr ? 0 : listed->refresh_mhz);
    return text(command.width_px, command.height_px, refresh);
  }
  if (!o.current_mode || o.current_mode->width_px == 0) return "preferred";
  return text(o.current_mode->width_px, o.current_mode->height_px, o.current_mode->refresh_mhz);
}

// The whole rule, as it was but for the wish.
std::string rule(const OutputCommand& command, const KnownOutput& before) {
  const msg::Output& o = before.output;
  const bool at = command.method == OutputMethod::kPosition;
  const std::string place =
      before.active || at ? fmt::format("{}x{}", at ? command.x : o.x, at ? command.y : o.y) : "auto";
  const double scale = command.method == OutputMethod::kScale ? command.scale : o.scale;
  const std::string scale_text = before.active || scale > 0 ? fmt::format("{:.5f}", scale) : "auto";
  const auto transform = command.method == OutputMethod::kTransform ? command.transform : o.transform;
  return fmt::format("/keyword monitor {},{},{},{},transform,{}", command.output, mode_text(command, before), place,
                     scale_text, static_cast<unsigned>(transform));
}

void add_inputs(const msg::Value& devices, std::string_view key, std::string_view kind,
                std::vector<msg::InputDevice>& inputs) {
  const msg::Value::Array* list = array_field(devices, key);
  for (std::size_t i = 0; list != nullptr && i < list->size() && inputs.size() < kIpcInputsMax; ++i) {
    const std::string name = text_field((*list)[i], "name");
    if (!name.empty()) inputs.push_back(msg::InputDevice{name, std::string(kind)});
  }
}

}  // namespace

std::string HyprlandDialect::request(IpcQuestion question) const {
  switch (question) {
    case IpcQuestion::kVersion: return "j/version";
    case IpcQuestion::kOutputs: return "j/monitors all";
    case IpcQuestion::kInputs: return "j/devices";
    case IpcQuestion::kCommand:
    case IpcQuestion::kReload: break;
  }
  return {};
}

std::string HyprlandDialect::change(const OutputCommand& command, const KnownOutput& before) const {
  switch (command.method) {
    case OutputMethod::kDisable: return fmt::format("/keyword monitor {},disable", command.output);
    case OutputMethod::kPower: return fmt::format("/dispatch dpms {} {}", command.on ? "on" : "off", command.output);
    case OutputMethod::kMode:
    case OutputMethod::kScale:
    case OutputMethod::kPosition:
    case OutputMethod::kTransform:
    case OutputMethod::kEnable: break;
  }
  return rule(command, before);
}

Result<std::string> HyprlandDialect::parse_version(std::string_view payload) const {
  auto value = msg::decode_json(payload);
  if (!value) return tl::unexpected(value.error());
  std::string version = text_field(*value, "version");
  if (version.empty()) version = text_field(*value, "tag");  // before 0.41: "v0.40.0"
  if (version.starts_with('v')) version.erase(0, 1);
  if (version.empty()) return fail(Status::kMalformed, "Hyprland's version has neither \"version\" nor \"tag\"");
  return version;
}

Result<std::vector<KnownOutput>> HyprlandDialect::parse_outputs(std::string_view payload) const {
  return maps_of(payload, kIpcOutputsMax, "Hyprland's answer with its monitors").map([](const msg::Value::Array& maps) {
    std::vector<KnownOutput> outputs;
    for (const msg::Value& map : maps) {
      KnownOutput one = output_of(map);
      if (!one.output.name.empty()) outputs.push_back(std::move(one));
    }
    return outputs;
  });
}

Result<std::vector<msg::InputDevice>> HyprlandDialect::parse_inputs(std::string_view payload) const {
  auto value = msg::decode_json(payload);
  if (!value) return tl::unexpected(value.error());
  if (!value->is_map()) return fail(Status::kMalformed, "Hyprland's answer with its devices is no object");
  std::vector<msg::InputDevice> inputs;
  add_inputs(*value, "mice", "pointer", inputs);
  add_inputs(*value, "keyboards", "keyboard", inputs);
  add_inputs(*value, "tablets", "tablet", inputs);
  add_inputs(*value, "touch", "touch", inputs);
  add_inputs(*value, "switches", "switch", inputs);
  return inputs;
}

Result<std::string> HyprlandDialect::parse_refusal(std::string_view payload) const {
  const std::size_t end = payload.find_last_not_of(" \r\n");
  const std::string_view said = payload.substr(0, end == std::string_view::npos ? 0 : end + 1);
  if (said == "ok") return std::string();
  return said.empty() ? std::string("without a word") : escape_for_log(said);
}

Result<KnownOutput> HyprlandDialect::find(const OutputCommand& command, const std::vector<KnownOutput>& outputs) const {
  OutputCommand as_listed = command;
  for (const KnownOutput& known : outputs) {
    if (command.method != OutputMethod::kMode || known.output.name != command.output) continue;
    if (const msg::Mode* mode = listed_mode(command, known.output.modes)) as_listed.refresh_mhz = mode->refresh_mhz;
  }
  auto found = find_output(as_listed, outputs, compositor());
  const bool is_switch = command.method == OutputMethod::kEnable || command.method == OutputMethod::kDisable ||
                         command.method == OutputMethod::kPower;
  if (!found || found->active || is_switch) return found;
  // A rule can't change an output and leave it off.
  return fail(Status::kFailed, fmt::format("{} is off, and Hyprland would switch it on with any change; nothing was "
                                           "changed. Use output.enable first",
                                           command.output));
}

bool HyprlandDialect::shows_wish(const OutputCommand& command, const KnownOutput& output) const {
  if (command.method != OutputMethod::kScale) return shows(command, output);
  return std::abs(output.output.scale - command.scale) <= kScaleError;
}

Result<IpcSession::Changes> HyprlandDialect::parse_event(std::string_view line) const {
  const std::size_t end = line.find(">>");
  if (end == std::string_view::npos) {
    return fail(Status::kMalformed, fmt::format("Hyprland sent an event without \">>\": {}", escape_for_log(line, 64)));
  }
  constexpr std::array<std::string_view, 5> kOfOutputs{"monitoradded", "monitoraddedv2", "monitorremoved",
                                                       "monitorremovedv2", "configreloaded"};
  const std::string_view event = line.substr(0, end);
  const bool of_outputs = std::find(kOfOutputs.begin(), kOfOutputs.end(), event) != kOfOutputs.end();
  // A layout is told for each keyboard that comes.
  const bool reloaded = event == "configreloaded";
  return IpcSession::Changes{of_outputs, reloaded || event == "activelayout", reloaded, false};
}

Result<std::string> HyprlandDialect::parse_reload_errors(std::string_view payload) const {
  const auto lines = msg::decode_json(payload);
  if (!lines) return tl::unexpected(lines.error());
  const msg::Value::Array* list = lines->if_array();
  if (list == nullptr) return fail(Status::kMalformed, "Hyprland's answer with its configuration's errors is no list");
  std::string text;
  for (const msg::Value& line : *list) {
    // Without an error it is one empty line.
    if (line.if_string() == nullptr || line.if_string()->empty() || text.size() > kComplaintBytesMax) continue;
    text += (text.empty() ? "" : "; ") + escape_for_log(*line.if_string());
  }
  return escape_for_log(text, kComplaintBytesMax);
}

}  // namespace compositord::agent::hyprland
