#pragma once
// Which outputs a screenshot is to show, and where they lie, for those who ask for them by name.

#include <string>
#include <vector>

#include "agent/capture/screenshot_request.h"
#include "agent/capture/shot.h"
#include "agent/output/output_command.h"
#include "common/base/result.h"

namespace compositord::agent {

struct ShotTarget {
  std::string output;
  LogicalRect place;
};

// Where an output lies in the layout, as its mode, scale and transform make it.
LogicalRect logical_place(const msg::Output& output);

// Those of `outputs` that are switched on and wanted. Errors: kNotFound, kFailed when none is on, kTooLarge.
Result<std::vector<ShotTarget>> choose_targets(const ScreenshotRequest& request,
                                               const std::vector<KnownOutput>& outputs, const std::string& compositor);

// For a sentence: what was wanted and isn't on, and what is: "DP-1, DP-2".
Error no_such_target(const std::string& wanted, const std::string& compositor, const std::string& names);
// Nothing when so many pixels may be read.
Result<void> check_pixels(double pixels);

}  // namespace compositord::agent
