#pragma once
// The environment of another process, as /proc/PID/environ has it: "NAME=value", NUL after each.

#include <optional>
#include <string>

#include "agent/process/peer.h"

namespace compositord::agent {

// Nothing when it is not ours to read, or another process has the pid by now.
std::optional<std::string> environment_of(const Peer& peer);

}  // namespace compositord::agent
