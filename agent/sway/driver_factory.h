#pragma once
// Which driver a Wayland display gets: decided by facts, the process behind the socket and its IPC socket.

#include <memory>

#include "agent/driver.h"
#include "agent/wayland/connected_display.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::agent {

// The factory for DisplayWatch. Never blocks. Errors: kFailed when the display can't be used.
// `frame_probe`: how often it is looked whether frames are drawn; zero: never.
Result<std::unique_ptr<Driver>> make_wayland_family_driver(ConnectedDisplay display, Instant now,
                                                           Duration frame_probe = Duration{});

}  // namespace compositord::agent
