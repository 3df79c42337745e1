#pragma once
// The one place that reads a clock. Only the loops (*/io) link this; a symbol gate keeps it out of the cores.

#include "common/base/instant.h"

namespace compositord {

Instant monotonic_now() noexcept;  // CLOCK_MONOTONIC: never jumps, stands still in suspend
UnixMs unix_now() noexcept;        // CLOCK_REALTIME

}  // namespace compositord
