#include "broker/config/environment.h"

#include <unistd.h>

#include <cstdlib>

namespace compositord::broker {

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// systemd separates several directories by colons; the first is the one that the unit names first.
std::string first_of(const std::string& directories) { return directories.substr(0, directories.find(':')); }

// "All paths must be absolute. If an implementation encounters a relative path it should consider it invalid and ignore it."
bool is_usable(const std::string& directory) { return directory.starts_with('/'); }

}  // namespace

Environment current_environment() {
  Environment environment;
  environment.is_root = geteuid() == 0;
  environment.runtime_directory = variable("RUNTIME_DIRECTORY");
  environment.state_directory = variable("STATE_DIRECTORY");
  environment.logs_directory = variable("LOGS_DIRECTORY");
  environment.xdg_runtime_dir = variable("XDG_RUNTIME_DIR");
  environment.xdg_state_home = variable("XDG_STATE_HOME");
  environment.home = variable("HOME");
  return environment;
}

std::filesystem::path runtime_dir(const Environment& environment) {
  if (is_usable(environment.runtime_directory)) return first_of(environment.runtime_directory);
  if (environment.is_root) return "/run/compositord";
  if (is_usable(environment.xdg_runtime_dir)) return std::filesystem::path(environment.xdg_runtime_dir) / "compositord";
  return {};
}

std::filesystem::path default_state_dir(const Environment& environment) {
  if (is_usable(environment.state_directory)) return first_of(environment.state_directory);
  if (environment.is_root) return "/var/lib/compositord";
  if (is_usable(environment.xdg_state_home)) return std::filesystem::path(environment.xdg_state_home) / "compositord";
  if (is_usable(environment.home)) return std::filesystem::path(environment.home) / ".local/state/compositord";
  return {};
}

std::filesystem::path default_log_dir(const Environment& environment) {
  if (is_usable(environment.logs_directory)) return first_of(environment.logs_directory);
  if (environment.is_root) return "/var/log/compositord";
  const std::filesystem::path state = default_state_dir(environment);
  return state.empty() ? state : state / "log";
}

}  // namespace compositord::broker
