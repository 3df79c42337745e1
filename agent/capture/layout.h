#pragma once
// Where each picture goes in the image that a caller asked for.

#include <vector>

#include "agent/capture/image.h"
#include "agent/capture/screenshot_request.h"
#include "agent/capture/shot.h"
#include "common/base/result.h"

namespace compositord::agent {

struct ShotLayout {
  Size size;                // of the whole image
  std::vector<Rect> rects;  // one for each picture, in their order
};

// A single picture keeps its own pixels; several are drawn in the greatest scale that one of them has, so that none loses
// anything. A thumbnail is never larger than the image would be without it.
// Errors: kTooLarge, when that would be more than kShotPixelsMax; kFailed without pictures.
Result<ShotLayout> lay_out(const Shot& shot, const ScreenshotRequest& request);

}  // namespace compositord::agent
