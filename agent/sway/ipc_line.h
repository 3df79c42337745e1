#pragma once
// The line of sway's command language for a command of the bus.

#include <string>

#include "agent/output/output_command.h"

namespace compositord::agent::sway {

// The line for IPC type 0. The output's name has been checked by the parser: nothing in it can end the quotes.
std::string to_ipc_line(const OutputCommand& command);

}  // namespace compositord::agent::sway
