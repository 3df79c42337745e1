#include "agent/output/output_command.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent {

namespace {

constexpr std::size_t kOutputNameBytesMax = 64;

// The parameters as they come; which of them must be there depends on the method.
struct Params {
  std::string output;
  std::optional<std::uint32_t> width_px;
  std::optional<std::uint32_t> height_px;
  std::optional<std::uint32_t> refresh_mhz;
  std::optional<double> scale;
  std::optional<std::int32_t> x;
  std::optional<std::int32_t> y;
  std::optional<msg::Transform> transform;
  std::optional<bool> on;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("output", m.output);
    v("width_px", m.width_px);
    v("height_px", m.height_px);
    v("refresh_mhz", m.refresh_mhz);
    v("scale", m.scale);
    v("x", m.x);
    v("y", m.y);
    v("transform", m.transform);
    v("on", m.on);
  }
};

// Empty when `value` is there and in range, else the sentence.
template <class T>
std::string out_of_range(std::string_view name, const std::optional<T>& value, T low, T high) {
  if (!value) return fmt::format("{}: missing", name);
  if (*value >= low && *value <= high) return {};
  return fmt::format("{}: {} is out of range {}…{}", name, *value, low, high);
}

std::string first_of(std::string a, std::string b) { return a.empty() ? std::move(b) : std::move(a); }

std::string wrong_value(OutputMethod method, const Params& p) {
  switch (method) {
    case OutputMethod::kMode:
      if (p.refresh_mhz && *p.refresh_mhz < kRefreshMhzMin) {
        return fmt::format("refresh_mhz: {} is below {}; it is in millihertz, and may be left out", *p.refresh_mhz,
                           kRefreshMhzMin);
      }
      return first_of(out_of_range("width_px", p.width_px, 1U, kModePxMax),
                      out_of_range("height_px", p.height_px, 1U, kModePxMax));
    case OutputMethod::kScale: return out_of_range("scale", p.scale, kScaleMin, kScaleMax);
    case OutputMethod::kPosition:
      return first_of(out_of_range("x", p.x, -kPositionMax, kPositionMax),
                      out_of_range("y", p.y, -kPositionMax, kPositionMax));
    case OutputMethod::kTransform: return p.transform ? "" : "transform: missing";
    case OutputMethod::kPower: return p.on ? "" : "on: missing";
    case OutputMethod::kEnable:
    case OutputMethod::kDisable: break;
  }
  return {};
}

// A parameter that we don't know is refused, not ignored: it is another unit, a slip, or a safeguard of a newer protocol
// that its caller relies on. Source: schemas/messages/command-output-*.json.
std::string unknown_parameter(OutputMethod method, const msg::Value& params) {
  static constexpr std::array<std::array<std::string_view, 4>, kOutputMethodNames.size()> kKnown{
      {{"output", "width_px", "height_px", "refresh_mhz"},
       {"output", "scale"},
       {"output", "x", "y"},
       {"output", "transform"},
       {"output"},
       {"output"},
       {"output", "on"}}};
  const auto& known = kKnown[static_cast<std::size_t>(method)];
  const msg::Value::Map* map = params.if_map();
  if (map == nullptr) return {};
  for (const auto& entry : *map) {
    if (std::find(known.begin(), known.end(), entry.first) != known.end() && !entry.first.empty()) continue;
    std::string names;
    for (const std::string_view name : known) names += (names.empty() || name.empty() ? "" : ", ") + std::string(name);
    return fmt::format("{}: {} has no such parameter ({})", escape_for_log(entry.first, 64),
                       kOutputMethodNames[static_cast<std::size_t>(method)], names);
  }
  return {};
}

// Half a step of 1/120, in which newer sway counts scales.
bool same_scale(double a, double b) { return std::abs(a - b) <= 1.0 / 240.0; }

bool same_refresh(std::uint32_t a, std::uint32_t b) { return std::max(a, b) - std::min(a, b) <= 1; }

std::string list_of_modes(const std::vector<msg::Mode>& modes) {
  constexpr std::size_t kShownMax = 12;
  std::string list;
  for (std::size_t i = 0; i < std::min(modes.size(), kShownMax); ++i) {
    list += fmt::format("{}{}x{}@{:.3f}Hz", i == 0 ? "" : ", ", modes[i].width_px, modes[i].height_px,
                        modes[i].refresh_mhz / 1000.0);
  }
  return modes.size() > kShownMax ? list + ", …" : list;
}

}  // namespace

std::optional<OutputMethod> output_method(std::string_view name) noexcept {
  const auto known = std::find(kOutputMethodNames.begin(), kOutputMethodNames.end(), name);
  if (known == kOutputMethodNames.end()) return std::nullopt;
  return static_cast<OutputMethod>(known - kOutputMethodNames.begin());
}

bool is_output_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("._:-").find(c) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= kOutputNameBytesMax && std::all_of(name.begin(), name.end(), allowed);
}

Result<OutputCommand> parse_output_command(const std::string& method, const msg::Value& params) {
  const auto known = output_method(method);
  if (!known) return fail(Status::kNotFound, fmt::format("there is no command \"{}\"", escape_for_log(method, 64)));
  auto p = msg::from_value<Params>(params);
  if (!p) return tl::unexpected(p.error());
  OutputCommand command;
  command.method = *known;
  if (!is_output_name(p->output)) {
    return fail(Status::kMalformed,
                fmt::format("output: \"{}\" can't be an output's name (1 to {} of A-Z a-z 0-9 . _ : -)",
                            escape_for_log(p->output, 64), kOutputNameBytesMax));
  }
  std::string wrong = wrong_value(command.method, *p);
  if (wrong.empty()) wrong = unknown_parameter(command.method, params);
  if (!wrong.empty()) {
    return fail(Status::kMalformed, std::move(wrong));
  }
  command.output = std::move(p->output);
  command.width_px = p->width_px.value_or(0);
  command.height_px = p->height_px.value_or(0);
  command.refresh_mhz = p->refresh_mhz;
  command.scale = p->scale.value_or(1.0);
  command.x = p->x.value_or(0);
  command.y = p->y.value_or(0);
  command.transform = p->transform.value_or(msg::Transform::k0);
  command.on = p->on.value_or(true);
  return command;
}

Result<KnownOutput> find_output(const OutputCommand& command, const std::vector<KnownOutput>& outputs,
                                std::string_view compositor) {
  std::string names;
  for (const KnownOutput& output : outputs) {
    names += (names.empty() ? "" : ", ") + output.output.name;
    if (output.output.name != command.output) continue;
    const std::vector<msg::Mode>& modes = output.output.modes;
    const auto fitting = [&](const msg::Mode& mode) { return fits(command, mode); };
    // Compositors would take the nearest of the list, or drive a real monitor with a mode it never offered.
    if (command.method == OutputMethod::kMode && !modes.empty() && std::none_of(modes.begin(), modes.end(), fitting)) {
      return fail(Status::kNotFound,
                  fmt::format("{} has no such mode; it has {}", command.output, list_of_modes(modes)));
    }
    return output;
  }
  return fail(Status::kNotFound, fmt::format("there is no output \"{}\"; {} has {}", command.output, compositor,
                                             names.empty() ? "none" : names));
}

bool fits(const OutputCommand& command, const msg::Mode& mode) {
  return mode.width_px == command.width_px && mode.height_px == command.height_px &&
         (!command.refresh_mhz || same_refresh(mode.refresh_mhz, *command.refresh_mhz));
}

bool shows(const OutputCommand& command, const KnownOutput& output) {
  const msg::Output& o = output.output;
  switch (command.method) {
    case OutputMethod::kMode: return o.current_mode && fits(command, *o.current_mode);
    case OutputMethod::kScale: return same_scale(o.scale, command.scale);
    case OutputMethod::kPosition: return o.x == command.x && o.y == command.y;
    case OutputMethod::kTransform: return o.transform == command.transform;
    case OutputMethod::kEnable: return output.active;
    case OutputMethod::kDisable: return !output.active;
    case OutputMethod::kPower: return output.powered == command.on;
  }
  return false;
}

msg::Value output_fields(const OutputCommand& command, const KnownOutput& output) {
  msg::Output fields = output.output;
  fields.modes.clear();
  msg::Value value = msg::to_value(fields);
  if (msg::Value::Map* map = value.if_map()) {
    std::erase_if(*map, [](const auto& entry) { return entry.first == "modes"; });
  }
  if (command.method == OutputMethod::kPower) value.set("powered", output.powered);
  return value;
}

}  // namespace compositord::agent
