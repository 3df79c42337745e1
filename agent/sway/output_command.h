#pragma once
// The commands that change an output: their parameters, the line sway is given, and whether an output shows the wish.
// Pure functions; who sends and waits is CommandRunner.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sway/ipc_model.h"
#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::agent::sway {

enum class OutputMethod : std::uint8_t { kMode, kScale, kPosition, kTransform };

inline constexpr std::array<std::string_view, 4> kOutputMethodNames{"output.mode", "output.scale", "output.position",
                                                                    "output.transform"};

// 16384 is what the texture units of common GPUs take. sway accepts any size, and then has nothing to draw with.
inline constexpr std::uint32_t kModePxMax = 16'384;
inline constexpr std::uint32_t kRefreshMhzMin = 1'000;  // below 1 Hz somebody meant another unit
inline constexpr double kScaleMin = 0.1;
inline constexpr double kScaleMax = 20.0;
// Positions beyond this make sway's 32-bit layout arithmetic overflow.
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
};

// Errors: kNotFound for an unknown method, kMalformed with the parameter's name; an unknown one is refused.
Result<OutputCommand> parse_output_command(const std::string& method, const msg::Value& params);

// The output it is for. Errors: kNotFound, naming the outputs that are there, or the modes when a monitor has a list of
// modes and the wanted one is not on it.
Result<SwayOutput> find_output(const OutputCommand& command, const std::vector<SwayOutput>& outputs);

// The line for IPC type 0. The output's name has been checked by the parser: nothing in it can end the quotes.
std::string to_ipc_line(const OutputCommand& command);
bool shows(const OutputCommand& command, const SwayOutput& output);
// The output's fields as the manifest has them, without its list of modes.
msg::Value output_fields(const SwayOutput& output);

}  // namespace compositord::agent::sway
