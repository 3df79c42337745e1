#pragma once
// A shot of a Wayland compositor, over a connection of its own: pictures are large, and a compositor may punish whoever asks for
// them. The driver's connection is never at risk.
//
//   kGlobals -> kOutputs -> kShooting -> ended

#include <memory>
#include <string>
#include <vector>

#include "agent/capture/capture.h"
#include "agent/process/peer.h"
#include "common/msg/manifest.h"

namespace compositord::agent {

struct CaptureTarget {
  std::string socket_path;
  Peer peer;         // that must listen there still
  std::string name;  // of the compositor, for sentences
};

// Whether a compositor that announces these can be asked.
bool can_capture(const std::vector<msg::Protocol>& protocols);

// Errors: kNotConnected when nobody, or somebody else, listens there.
Result<std::unique_ptr<Capture>> begin_wayland_capture(const CaptureTarget& target, const ScreenshotRequest& request);

}  // namespace compositord::agent
