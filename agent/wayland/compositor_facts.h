#pragma once
// What a compositor is, concluded from facts: its executable's name and the globals that only it announces.

#include <string>
#include <string_view>
#include <vector>

#include "common/msg/manifest.h"

namespace compositord::agent {

// "sway", "weston", …; for an executable that isn't known, the name of the compositor whose own globals are there, else
// the executable's name, else "unknown".
std::string compositor_name(const std::string& executable, const std::vector<msg::Protocol>& protocols);

// The commands of the bus that a driver carries out, none of them supported, with the reason in the compositor's case.
std::vector<msg::CommandSupport> unsupported_commands(std::string_view compositor);

}  // namespace compositord::agent
