#pragma once
// From a shot to what a caller gets. Takes as long as it takes: for a worker's thread (encoder.h), not for a loop.

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/capture/image.h"
#include "agent/capture/screenshot_request.h"
#include "agent/capture/shot.h"
#include "common/base/result.h"

namespace compositord::agent {

// It waits in memory until it is sent, here and at the broker.
inline constexpr std::size_t kPngBytesMax = 64U << 20U;

struct Screenshot {
  std::string png;
  Size size;
  std::vector<std::string> outputs;  // that are in it
  std::string sha256;                // of the PNG, in hexadecimal
};

// Takes the shot's memory along, picture by picture. Errors: kTooLarge, kFailed, kGone when asked to stop.
Result<Screenshot> make_screenshot(Shot shot, const ScreenshotRequest& request, const std::stop_token& stop);

}  // namespace compositord::agent
