#pragma once
// The environment of another process, as /proc/PID/environ has it: "NAME=value", NUL after each; and its command line.

#include <optional>
#include <string>
#include <vector>

#include "agent/process/peer.h"

namespace compositord::agent {

// Nothing when it is not ours to read, or another process has the pid by now.
std::optional<std::string> environment_of(const Peer& peer);
// As it was started, its name first. Nothing when it can't be read, or another process has the pid by now.
std::optional<std::vector<std::string>> arguments_of(const Peer& peer);

}  // namespace compositord::agent
