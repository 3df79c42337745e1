#pragma once
// Names of X displays on this machine: ":72", ":72.0", "unix:72". Displays of other machines are not for this agent: what
// it watches is a process beside it.

#include <optional>
#include <string>
#include <string_view>

namespace compositord::agent::x11 {

// ":72" of any of the forms above; none when it is no local X display.
std::optional<std::string> local_x_display(std::string_view name);
// "/tmp/.X11-unix/X72" of ":72", where X servers listen.
std::string x_socket_path(const std::string& display);
// ":72" of "X72", the name of the socket's file.
std::string x_display_of_socket(std::string_view file);

}  // namespace compositord::agent::x11
