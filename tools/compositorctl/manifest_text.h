#pragma once
// A manifest as people read it, and how much it is worth: a manifest outlives its compositor.

#include <string>

#include "common/msg/status.h"
#include "tools/compositorctl/fleet.h"

namespace compositord::ctl {

// One or two sentences: whether the compositor is now as described, or how long ago it was.
std::string freshness_text(const Freshness& freshness, const msg::Status& status);

std::string manifest_text(const KnownManifest& known, const msg::Status& status, bool coloured);

}  // namespace compositord::ctl
