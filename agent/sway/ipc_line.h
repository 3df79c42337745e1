#pragma once
// The line of sway's command language for what a command of the bus wants of outputs.

#include <string>

#include "agent/output/output_request.h"

namespace compositord::agent::sway {

// The line for IPC type 0; sway carries its parts out one after the other. An output's name has been checked by the parser: nothing
// in it can end the quotes.
std::string to_ipc_line(const OutputRequest& request);

}  // namespace compositord::agent::sway
