#include "agent/capture/screenshot_request.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "agent/output/output_command.h"
#include "common/base/log_event.h"
#include "common/msg/fields.h"

namespace compositord::agent {

namespace {

constexpr std::array<std::string_view, 3> kKnown{"output", "max_width", "max_height"};
constexpr std::uint32_t kSidePxMax = 16'384;

struct Params {
  std::optional<std::string> output;
  std::optional<std::uint32_t> max_width;
  std::optional<std::uint32_t> max_height;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("output", m.output);
    v("max_width", m.max_width);
    v("max_height", m.max_height);
  }
};

std::string wrong_value(const Params& p) {
  if (p.output && !is_output_name(*p.output)) {
    return fmt::format("output: \"{}\" can't be an output's name (1 to 64 of A-Z a-z 0-9 . _ : -)",
                       escape_for_log(*p.output, 64));
  }
  for (const auto& [name, side] : {std::pair{"max_width", p.max_width}, std::pair{"max_height", p.max_height}}) {
    if (side && (*side < 1 || *side > kSidePxMax)) {
      return fmt::format("{}: {} is out of range 1…{} (pixels)", name, *side, kSidePxMax);
    }
  }
  return {};
}

// Refused and not ignored: it is a slip, or a wish of a newer protocol that this agent would not grant.
std::string unknown_parameter(const msg::Value& params) {
  const msg::Value::Map* map = params.if_map();
  if (map == nullptr) return {};
  for (const auto& entry : *map) {
    if (std::find(kKnown.begin(), kKnown.end(), entry.first) != kKnown.end()) continue;
    return fmt::format("{}: screenshot has no such parameter (output, max_width, max_height)",
                       escape_for_log(entry.first, 64));
  }
  return {};
}

}  // namespace

Result<ScreenshotRequest> parse_screenshot_request(const msg::Value& params) {
  auto p = msg::from_value<Params>(params);
  if (!p) return tl::unexpected(p.error());
  std::string wrong = wrong_value(*p);
  if (wrong.empty()) wrong = unknown_parameter(params);
  if (!wrong.empty()) return fail(Status::kMalformed, std::move(wrong));
  return ScreenshotRequest{std::move(p->output), p->max_width, p->max_height};
}

}  // namespace compositord::agent
