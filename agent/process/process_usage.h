#pragma once
// What a process uses of its host's memory and processors. Source: proc(5), "/proc/pid/stat".

#include <optional>

#include "agent/driver_event.h"
#include "agent/process/peer.h"

namespace compositord::agent {

// One look at /proc/PID/stat, which asks the process for nothing: a frozen one is read like any other. None when it has ended,
// or is hidden from us. The kernel's count of resident pages may be off by some dozen for each processor.
std::optional<driver_event::UsageSeen> look_at_usage(const Peer& peer);

}  // namespace compositord::agent
