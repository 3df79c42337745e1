#pragma once
// What the broker's surroundings say about where its files belong, read once at start-up and then passed in.

#include <filesystem>
#include <string>

#include "common/base/result.h"

namespace compositord::broker {

// Empty where a variable is not set.
struct Environment {
  bool is_root = false;
  std::string runtime_directory;  // $RUNTIME_DIRECTORY: systemd's, already ours alone
  std::string state_directory;    // $STATE_DIRECTORY: the same
  std::string logs_directory;     // $LOGS_DIRECTORY: the same
  std::string xdg_runtime_dir;
  std::string xdg_state_home;
  std::string home;
};

Environment current_environment();

// Where the broker's ipc sockets are: $RUNTIME_DIRECTORY, else /run/compositord for root, else $XDG_RUNTIME_DIR/compositord,
// else empty: no such place, TCP only. Source: systemd.exec(5), XDG Base Directory Specification.
std::filesystem::path runtime_dir(const Environment& environment);

// Where the store is, unless the command line or the configuration says: $STATE_DIRECTORY, else /var/lib/compositord for
// root, else $XDG_STATE_HOME/compositord, else ~/.local/state/compositord; empty when there is no home either.
std::filesystem::path default_state_dir(const Environment& environment);

// Where the status log is, unless the configuration says: $LOGS_DIRECTORY, else /var/log/compositord for root, else the folder
// log in the default state directory; empty when there is none.
std::filesystem::path default_log_dir(const Environment& environment);

}  // namespace compositord::broker
