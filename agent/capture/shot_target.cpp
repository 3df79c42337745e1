#include "agent/capture/shot_target.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

LogicalRect logical_place(const msg::Output& output) {
  const msg::Mode mode = output.current_mode.value_or(msg::Mode{});
  const auto scaled = [&](std::uint32_t px) { return static_cast<std::uint32_t>(std::lround(px / output.scale)); };
  LogicalRect place{output.x, output.y, scaled(mode.width_px), scaled(mode.height_px)};
  if ((static_cast<unsigned>(output.transform) & 1U) != 0) std::swap(place.width, place.height);
  return place;
}

Result<std::vector<ShotTarget>> choose_targets(const ScreenshotRequest& request,
                                               const std::vector<KnownOutput>& outputs, const std::string& compositor) {
  std::vector<ShotTarget> targets;
  std::string names;
  double pixels = 0;
  for (const KnownOutput& known : outputs) {
    const msg::Output& output = known.output;
    if (!known.active) continue;
    names += (names.empty() ? "" : ", ") + output.name;
    if (request.output && *request.output != output.name) continue;
    const msg::Mode mode = output.current_mode.value_or(msg::Mode{});
    pixels += static_cast<double>(mode.width_px) * mode.height_px;
    targets.push_back(ShotTarget{output.name, logical_place(output)});
  }
  if (targets.empty() && request.output) return tl::unexpected(no_such_target(*request.output, compositor, names));
  if (targets.empty()) return fail(Status::kFailed, fmt::format("{} has no output that is switched on", compositor));
  if (auto few = check_pixels(pixels); !few) return tl::unexpected(few.error());
  return targets;
}

Error no_such_target(const std::string& wanted, const std::string& compositor, const std::string& names) {
  return Error{Status::kNotFound, fmt::format("there is no output \"{}\" that is switched on; {} has {}", wanted,
                                              compositor, names.empty() ? "none" : names)};
}

Result<void> check_pixels(double pixels) {
  if (pixels <= static_cast<double>(kShotPixelsMax)) return {};
  return fail(Status::kTooLarge, fmt::format("the outputs have {:.0f} Mpx, and {} are allowed; ask for one `output`",
                                             pixels / 1e6, kShotPixelsMax / 1'000'000));
}

}  // namespace compositord::agent
