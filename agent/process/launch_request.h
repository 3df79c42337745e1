#pragma once
// The parameters of `launch`, and the environment that the program gets.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::agent {

inline constexpr std::string_view kLaunchName = "launch";

struct LaunchRequest {
  static constexpr std::size_t kArgumentsMax = 64;
  static constexpr std::size_t kVariablesMax = 64;
  static constexpr std::size_t kBytesMax = 4096;  // of one argument, or of one variable's value

  std::vector<std::string> arguments;  // the first is the program
  std::map<std::string, std::string> environment;
};

// Source: schemas/messages/command-launch.json. Errors: kMalformed, kForbidden for variables that are the agent's own to set or
// that make another program of it.
Result<LaunchRequest> parse_launch_request(const msg::Value& params);

// Where the program's windows are to appear; one of the first two is empty.
struct LaunchDisplay {
  std::string wayland_socket;  // an absolute path
  std::string x11;             // ":0"
  std::string runtime_dir;     // empty: that of the socket
};

// "KEY=value" of `inherited`, but for what names another display or a service manager, then the display's and the request's.
std::vector<std::string> launch_environment(const char* const* inherited, const LaunchDisplay& display,
                                            const LaunchRequest& request);

}  // namespace compositord::agent
