#pragma once
// Which of the Hyprland instances of a user is the compositor behind a display.
// Source: wiki.hypr.land "IPC"; hyprland.lock has the pid in its first line and the Wayland display in its second.

#include <sys/types.h>

#include <string>

#include "common/base/result.h"

namespace compositord::agent::hyprland {

// The folder of the instance whose lock names `pid`, below RUNTIME_DIR/hypr. Old instances leave their folders behind, so the
// newest one proves nothing. Reads a few small files; never blocks. Errors: kNotFound.
Result<std::string> find_instance(const std::string& runtime_dir, pid_t pid);

}  // namespace compositord::agent::hyprland
