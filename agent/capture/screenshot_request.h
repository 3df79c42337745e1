#pragma once
// What a caller of `screenshot` wants. Source: schemas/messages/command-screenshot.json.

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::agent {

struct ScreenshotRequest {
  std::optional<std::string> output;  // none: all of them, as they lie in the layout
  std::optional<std::uint32_t> max_width_px;
  std::optional<std::uint32_t> max_height_px;
};

// Errors: kMalformed with the parameter's name; an unknown one is refused.
Result<ScreenshotRequest> parse_screenshot_request(const msg::Value& params);

}  // namespace compositord::agent
