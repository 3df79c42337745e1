#pragma once
// What `identify` shows on one screen, as a picture: the compositor's id, the output and its mode, and a line of the caller's.

#include <cstdint>
#include <string>
#include <vector>

#include "agent/identify/identify_request.h"
#include "common/base/result.h"
#include "common/msg/manifest.h"

namespace compositord::agent {

struct CardImage {
  int width_px = 0;
  int height_px = 0;
  std::vector<std::uint32_t> pixels;  // 0xAARRGGBB, premultiplied, row by row
};

// At most so large, whatever the screen is: a picture of 2 MiB.
inline constexpr int kCardWidthMax = 1024;
inline constexpr int kCardHeightMax = 512;

// "1280x720 60 Hz"; "off" without a mode. Not the scale: wl_output, from which this is drawn, rounds it up.
std::string mode_line(const msg::Output& output);

// Fits the output, all of its text readable or made smaller. `scale`: pixels of the picture per logical one, at least 1; both
// sides of the picture are multiples of it. Errors: kFailed when there is no memory for it.
Result<CardImage> draw_identify_card(const IdentifyRequest& request, const msg::Output& output, int scale);

}  // namespace compositord::agent
