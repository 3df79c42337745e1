#pragma once
// One wish for one output, as a command that changes an output says it: its parameters, the output it is for, and whether an
// output shows it. Pure functions; who sends and waits is a driver's own.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/msg/manifest.h"
#include "common/msg/value.h"

namespace compositord::agent {

enum class OutputMethod : std::uint8_t { kMode, kScale, kPosition, kTransform, kEnable, kDisable, kPower };

inline constexpr std::array<std::string_view, 7> kOutputMethodNames{
    "output.mode",   "output.scale",   "output.position", "output.transform",
    "output.enable", "output.disable", "output.power"};

// Whether a method is one of them, or changes an output in a way that nobody here knows.
constexpr bool is_output_method(std::string_view method) { return method.starts_with("output."); }
inline constexpr std::string_view kScreenshotCommand = "screenshot";

// 16384 is what the texture units of common GPUs take. Compositors accept any size, and then have nothing to draw with.
inline constexpr std::uint32_t kModePxMax = 16'384;
inline constexpr std::uint32_t kRefreshMhzMin = 1'000;  // below 1 Hz somebody meant another unit
inline constexpr double kScaleMin = 0.1;
inline constexpr double kScaleMax = 20.0;
// Positions beyond this make the compositors' 32-bit layout arithmetic overflow.
inline constexpr std::int32_t kPositionMax = 1'000'000;

struct OutputCommand {
  OutputMethod method = OutputMethod::kMode;
  std::string output;
  std::uint32_t width_px = 0;
  std::uint32_t height_px = 0;
  std::optional<std::uint32_t> refresh_mhz;  // none: any
  double scale = 1.0;
  std::int32_t x = 0;
  std::int32_t y = 0;
  msg::Transform transform = msg::Transform::k0;  // as wl_output means it
  bool on = true;                                 // of output.power
};

// An output as a driver knows it, also one that is switched off.
struct KnownOutput {
  msg::Output output;
  bool active = false;  // part of the layout
  bool powered = true;  // its monitor is not put to sleep
  friend bool operator==(const KnownOutput&, const KnownOutput&) = default;
};

// None for a method that changes no output.
std::optional<OutputMethod> output_method(std::string_view name) noexcept;

// The names that compositors give to outputs ("HEADLESS-1", "DP-2", "X11-1") need no other bytes than A-Z a-z 0-9 . _ : -, and
// these can't end a quoted string, begin a variable or separate commands in sway's language.
bool is_output_name(std::string_view name);

// Errors: kNotFound for an unknown method, kMalformed with the parameter's name; an unknown one is refused.
Result<OutputCommand> parse_output_command(const std::string& method, const msg::Value& params);

// The output it is for. `compositor`: its name, for the sentence. Errors: kNotFound, naming the outputs that are there, or
// the modes when a monitor has a list of modes and the wanted one is not on it.
Result<KnownOutput> find_output(const OutputCommand& command, const std::vector<KnownOutput>& outputs,
                                std::string_view compositor);

// Whether a mode is the one that output.mode asks for.
bool fits(const OutputCommand& command, const msg::Mode& mode);
bool shows(const OutputCommand& command, const KnownOutput& output);
// The output's fields as the manifest has them, without its list of modes; for output.power with "powered".
msg::Value output_fields(const OutputCommand& command, const KnownOutput& output);

}  // namespace compositord::agent
