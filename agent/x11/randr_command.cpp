#include "agent/x11/randr_command.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent::x11 {

namespace {

constexpr std::uint32_t kRefreshMhzDefault = 60'000;
// X11 counts positions of the screen in 16 bits, from 0.
constexpr std::int32_t kScreenPositionMax = 32'767;
constexpr std::uint16_t kNotTurned = XCB_RANDR_ROTATION_ROTATE_0;
// A dot clock is a whole number of Hz, and the refresh rate what follows from it.
constexpr std::uint32_t kRefreshMhzTolerance = 20;

bool same_refresh(std::uint32_t a, std::uint32_t b) { return std::max(a, b) - std::min(a, b) <= kRefreshMhzTolerance; }

bool is_wanted(const OutputCommand& command, const msg::Mode& mode) {
  return mode.width_px == command.width_px && mode.height_px == command.height_px &&
         (!command.refresh_mhz || same_refresh(mode.refresh_mhz, *command.refresh_mhz));
}

std::string list_of_modes(const std::vector<msg::Mode>& modes) {
  std::vector<std::string> texts;
  texts.reserve(modes.size());
  for (const msg::Mode& mode : modes) {
    texts.push_back(
        fmt::format("{}x{}@{}.{:03}", mode.width_px, mode.height_px, mode.refresh_mhz / 1000, mode.refresh_mhz % 1000));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

// Timings with little blanking, as flat panels take them: the shape of CVT's "reduced blanking".
RandrChange::NewMode make_mode(const OutputCommand& command) {
  const std::uint32_t refresh = command.refresh_mhz.value_or(kRefreshMhzDefault);
  RandrChange::NewMode made;
  xcb_randr_mode_info_t& info = made.info;
  info.width = static_cast<std::uint16_t>(command.width_px);
  info.height = static_cast<std::uint16_t>(command.height_px);
  info.hsync_start = static_cast<std::uint16_t>(command.width_px + 48);
  info.hsync_end = static_cast<std::uint16_t>(command.width_px + 80);
  info.htotal = static_cast<std::uint16_t>(command.width_px + 160);
  info.vsync_start = static_cast<std::uint16_t>(command.height_px + 3);
  info.vsync_end = static_cast<std::uint16_t>(command.height_px + 9);
  info.vtotal = static_cast<std::uint16_t>(command.height_px + 31);
  const std::uint64_t dots = std::uint64_t{info.htotal} * info.vtotal;
  info.dot_clock = static_cast<std::uint32_t>(std::min<std::uint64_t>((dots * refresh + 500) / 1000, 0xffff'ffffU));
  made.name = fmt::format("{}x{}@{}.{:03}", command.width_px, command.height_px, refresh / 1000, refresh % 1000);
  info.name_len = static_cast<std::uint16_t>(made.name.size());
  return made;
}

// The CRTC that drives the output, or one that is free.
const ScreenCrtc* crtc_for(const ScreenOutput& output, const ScreenOutputs& screen) {
  if (const ScreenCrtc* present = screen.crtc(output.crtc)) return present;
  for (const xcb_randr_crtc_t id : output.possible_crtcs) {
    const ScreenCrtc* crtc = screen.crtc(id);
    if (crtc != nullptr && crtc->mode == XCB_NONE && crtc->outputs.empty()) return crtc;
  }
  return nullptr;
}

std::int32_t right_edge(const ScreenOutputs& screen) {
  std::int32_t edge = 0;
  for (const ScreenCrtc& crtc : screen.crtcs) {
    if (crtc.mode != XCB_NONE) edge = std::max(edge, crtc.x + static_cast<std::int32_t>(crtc.width_px));
  }
  return edge;
}

bool is_turned(std::uint16_t rotation) {
  return (rotation & (XCB_RANDR_ROTATION_ROTATE_90 | XCB_RANDR_ROTATION_ROTATE_270)) != 0;
}

// As it is turned now.
void set_mode(ScreenCrtc& crtc, xcb_randr_mode_t id, const msg::Mode& mode) {
  crtc.mode = id;
  crtc.width_px = is_turned(crtc.rotation) ? mode.height_px : mode.width_px;
  crtc.height_px = is_turned(crtc.rotation) ? mode.width_px : mode.height_px;
}

Result<void> plan_mode(const OutputCommand& command, const ScreenOutputs& screen, const ScreenOutput& output,
                       RandrChange& change) {
  for (std::size_t i = 0; i < output.output.modes.size(); ++i) {
    if (!is_wanted(command, output.output.modes[i])) continue;
    set_mode(change.crtc, output.mode_ids[i], output.output.modes[i]);
    return {};
  }
  // A monitor takes what it says it takes; timings that we invent may show nothing, or harm an old one.
  if (output.has_edid) {
    return fail(Status::kNotFound,
                fmt::format("{} has no such mode; it has {}", command.output, list_of_modes(output.output.modes)));
  }
  change.new_mode = make_mode(command);
  change.new_mode->output = output.id;
  const auto made = std::find_if(screen.modes.begin(), screen.modes.end(),
                                 [&](const ScreenOutputs::NamedMode& m) { return is_wanted(command, m.mode); });
  if (made != screen.modes.end()) change.new_mode->mode = made->id;
  set_mode(change.crtc, XCB_NONE, msg::Mode{command.width_px, command.height_px, 0, false});
  return {};
}

Result<void> plan_enable(const OutputCommand& command, const ScreenOutput& output,
                         const std::optional<OutputPlace>& place, RandrChange& change) {
  if (output.mode_ids.empty()) {
    return fail(
        Status::kFailed,
        fmt::format("{} has no mode to be turned on with; output.mode gives it one and turns it on", command.output));
  }
  std::size_t chosen = 0;  // the first is the preferred one, where one is preferred
  for (std::size_t i = 0; i < output.mode_ids.size(); ++i) {
    if (place && output.mode_ids[i] == place->mode) chosen = i;
  }
  set_mode(change.crtc, output.mode_ids[chosen], output.output.modes[chosen]);
  return {};
}

bool can_turn(const ScreenCrtc& crtc, std::uint16_t rotation) { return (crtc.rotations & rotation) == rotation; }

std::string list_of_turns(const ScreenCrtc& crtc) {
  std::vector<std::string_view> names;
  for (const auto& [transform, name] : enum_names(msg::Transform{})) {
    if (can_turn(crtc, rotation_of(transform))) names.push_back(name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<void> plan_transform(const OutputCommand& command, const ScreenOutput& output, RandrChange& change) {
  const std::uint16_t rotation = rotation_of(command.transform);
  if (!can_turn(change.crtc, rotation)) {
    return fail(Status::kUnsupported, fmt::format("the X server's driver can't turn {} so; it can turn it {}",
                                                  command.output, list_of_turns(change.crtc)));
  }
  change.crtc.rotation = rotation;
  set_mode(change.crtc, change.crtc.mode, *output.output.current_mode);
  return {};
}

void plan_disable(const ScreenOutput& output, RandrChange& change) {
  std::erase(change.crtc.outputs, output.id);
  if (!change.crtc.outputs.empty()) return;  // another output shows the same picture and goes on
  change.crtc.mode = XCB_NONE;
  change.crtc.width_px = change.crtc.height_px = 0;
  change.crtc.x = change.crtc.y = 0;
}

Result<void> plan_screen_size(const ScreenOutputs& screen, RandrChange& change) {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  for (const ScreenCrtc& present : screen.crtcs) {
    const ScreenCrtc& crtc = present.id == change.crtc.id ? change.crtc : present;
    if (crtc.width_px == 0) continue;
    width = std::max(width, static_cast<std::uint32_t>(crtc.x) + crtc.width_px);
    height = std::max(height, static_cast<std::uint32_t>(crtc.y) + crtc.height_px);
  }
  if (width > screen.width_px_max || height > screen.height_px_max) {
    return fail(Status::kUnsupported,
                fmt::format("the screen would have to be {}x{}, and this X server's largest is {}x{}", width, height,
                            screen.width_px_max, screen.height_px_max));
  }
  // A screen needs a size, also without an output.
  change.width_px_after = width == 0 ? screen.width_px : width;
  change.height_px_after = height == 0 ? screen.height_px : height;
  change.width_px_during = std::max(change.width_px_after, screen.width_px);
  change.height_px_during = std::max(change.height_px_after, screen.height_px);
  return {};
}

}  // namespace

std::vector<msg::CommandSupport> randr_commands(bool has_randr, const ScreenOutputs& screen) {
  std::vector<msg::CommandSupport> commands;
  const std::string why = has_randr ? "" : "this X server has no RandR extension";
  for (const char* name : {"output.configure", "output.disable", "output.enable", "output.mode", "output.position"}) {
    commands.push_back({name, has_randr, why});
  }
  commands.push_back(
      {std::string(kAddName), false,
       "an X server's outputs are its connectors, and it makes no others; output.mode turns one on, connected or not"});
  commands.push_back({"output.power", false,
                      "an X server's power management is for all monitors at once; output.disable "
                      "turns one off"});
  commands.push_back({"output.scale", false, "an X server has no scale: each program draws in the size that it wants"});
  const bool can_turn_one = std::any_of(screen.crtcs.begin(), screen.crtcs.end(),
                                        [](const ScreenCrtc& crtc) { return crtc.rotations != kNotTurned; });
  const char* no_turn = has_randr ? "this X server's driver can turn no output" : why.c_str();
  commands.push_back({"output.transform", can_turn_one, can_turn_one ? "" : no_turn});
  return commands;
}

Result<OutputRequest> parse_randr_request(const std::string& method, const msg::Value& params) {
  Result<OutputRequest> request = parse_output_request(method, params);
  if (!request) return request;
  for (const OutputCommand& wish : request->wishes) {
    if (wish.method == OutputMethod::kScale)
      return fail(Status::kUnsupported, "scale: an X server's outputs have no scale");
    if (wish.method != OutputMethod::kPosition) continue;
    for (const auto& [name, value] : {std::pair{"x", wish.x}, std::pair{"y", wish.y}}) {
      if (value >= 0 && value <= kScreenPositionMax) continue;
      return fail(Status::kMalformed,
                  fmt::format("{}: {} is out of range 0…{} of an X screen", name, value, kScreenPositionMax));
    }
  }
  return request;
}

Result<const ScreenOutput*> find_output(const OutputCommand& command, const ScreenOutputs& screen) {
  if (const ScreenOutput* output = screen.find(command.output)) return output;
  std::vector<std::string> names;
  names.reserve(screen.outputs.size());
  for (const ScreenOutput& output : screen.outputs) names.push_back(output.output.name);
  return fail(Status::kNotFound,
              fmt::format("there is no output \"{}\"; the X server has {}", escape_for_log(command.output, 64),
                          names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
}

Result<RandrChange> plan_change(const OutputCommand& command, const ScreenOutputs& screen,
                                const std::optional<OutputPlace>& place) {
  const auto found = find_output(command, screen);
  if (!found) return tl::unexpected(found.error());
  const ScreenOutput& output = **found;
  const bool is_on = output.output.current_mode.has_value();
  if (!is_on && (command.method == OutputMethod::kPosition || command.method == OutputMethod::kTransform)) {
    return fail(Status::kFailed, fmt::format("{} is off; use output.enable first", command.output));
  }
  const ScreenCrtc* crtc = crtc_for(output, screen);
  if (crtc == nullptr) {
    return fail(Status::kFailed,
                fmt::format("no CRTC of the X server is free for {}; disable another output first", command.output));
  }
  RandrChange change;
  change.crtc = *crtc;
  if (!is_on) {
    change.crtc.rotation = kNotTurned;
    if (place && can_turn(*crtc, place->rotation)) change.crtc.rotation = place->rotation;
    change.crtc.outputs = {output.id};
    change.crtc.x = place ? place->x : right_edge(screen);
    change.crtc.y = place ? place->y : 0;
  }
  Result<void> planned;
  switch (command.method) {
    case OutputMethod::kMode: planned = plan_mode(command, screen, output, change); break;
    case OutputMethod::kEnable: planned = plan_enable(command, output, place, change); break;
    case OutputMethod::kDisable: plan_disable(output, change); break;
    case OutputMethod::kPosition:
      change.crtc.x = command.x;
      change.crtc.y = command.y;
      break;
    case OutputMethod::kTransform: planned = plan_transform(command, output, change); break;
    case OutputMethod::kScale:
    case OutputMethod::kPower:
      return fail(Status::kUnsupported, "this agent does not do that to an X server's outputs");
  }
  if (planned) planned = plan_screen_size(screen, change);
  if (!planned) return tl::unexpected(planned.error());
  return change;
}

bool shows(const OutputCommand& command, const ScreenOutput& output) {
  const msg::Output& o = output.output;
  switch (command.method) {
    case OutputMethod::kEnable: return o.current_mode.has_value();
    case OutputMethod::kDisable: return !o.current_mode;
    case OutputMethod::kMode: return o.current_mode && is_wanted(command, *o.current_mode);
    case OutputMethod::kPosition: return o.current_mode && o.x == command.x && o.y == command.y;
    case OutputMethod::kTransform: return o.current_mode && o.transform == command.transform;
    case OutputMethod::kScale:
    case OutputMethod::kPower: break;
  }
  return false;
}

bool shows(const OutputRequest& request, const ScreenOutputs& screen) {
  return std::all_of(request.wishes.begin(), request.wishes.end(), [&](const OutputCommand& wish) {
    const ScreenOutput* output = screen.find(wish.output);
    return output != nullptr && shows(wish, *output);
  });
}

}  // namespace compositord::agent::x11
