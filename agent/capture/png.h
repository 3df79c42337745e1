#pragma once
// An image as a PNG. Source: libpng-manual.txt.

#include <cstddef>
#include <stop_token>
#include <string>

#include "agent/capture/image.h"
#include "common/base/result.h"

namespace compositord::agent {

// 8 bits of red, green and blue, not interlaced. Errors: kTooLarge for a PNG of more than `bytes_max`, kGone when asked to stop,
// kFailed with libpng's words.
Result<std::string> encode_png(const Image& image, std::size_t bytes_max, const std::stop_token& stop);

}  // namespace compositord::agent
