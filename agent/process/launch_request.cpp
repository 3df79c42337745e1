#include "agent/process/launch_request.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "common/base/log_event.h"
#include "common/msg/fields.h"

namespace compositord::agent {

namespace {

struct Params {
  std::vector<std::string> argv;
  std::optional<std::map<std::string, std::string>> env;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("argv", m.argv);
    v("env", m.env);
  }
};

// They name the display, and that is the compositor that was asked.
constexpr std::array<std::string_view, 4> kOfTheDisplay{"DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET",
                                                        "XDG_RUNTIME_DIR"};
// The agent's, as a service: the program is none.
constexpr std::array<std::string_view, 6> kOfTheService{"LISTEN_FDNAMES", "LISTEN_FDS",   "LISTEN_PID",
                                                        "NOTIFY_SOCKET",  "WATCHDOG_PID", "WATCHDOG_USEC"};

template <class List>
bool contains(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool is_variable_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && name.size() <= 128 && (name.front() < '0' || name.front() > '9') &&
         std::all_of(name.begin(), name.end(), allowed);
}

std::string wrong_text(std::string_view text) {
  if (text.size() > LaunchRequest::kBytesMax) {
    return fmt::format("{} bytes, allowed are {}", text.size(), LaunchRequest::kBytesMax);
  }
  return text.find('\0') == std::string_view::npos ? "" : "a zero byte would end it";
}

Result<void> check_variable(const std::string& name, const std::string& value) {
  const std::string shown = escape_for_log(name, 64);
  if (!is_variable_name(name)) {
    return fail(Status::kMalformed, fmt::format("env: \"{}\" can't be a variable's name (letters, digits, _)", shown));
  }
  if (const std::string wrong = wrong_text(value); !wrong.empty()) {
    return fail(Status::kMalformed, fmt::format("env.{}: {}", shown, wrong));
  }
  if (contains(kOfTheDisplay, name)) {
    return fail(Status::kForbidden, fmt::format("env.{}: the agent sets it to the compositor that was asked", shown));
  }
  // With these, the allowed program would run anybody's code.
  if (name.starts_with("LD_") || name == "GCONV_PATH") {
    return fail(Status::kForbidden, fmt::format("env.{}: it makes another program of the one that is allowed", shown));
  }
  return {};
}

Result<void> check(const Params& params) {
  if (params.argv.empty() || params.argv.size() > LaunchRequest::kArgumentsMax) {
    return fail(Status::kMalformed, fmt::format("argv: a program and its arguments expected, 1 to {} strings",
                                                LaunchRequest::kArgumentsMax));
  }
  for (std::size_t i = 0; i < params.argv.size(); ++i) {
    const std::string wrong = wrong_text(params.argv[i]);
    if (!wrong.empty()) return fail(Status::kMalformed, fmt::format("argv[{}]: {}", i, wrong));
  }
  if (!params.env) return {};
  if (params.env->size() > LaunchRequest::kVariablesMax) {
    return fail(Status::kMalformed,
                fmt::format("env: {} variables, allowed are {}", params.env->size(), LaunchRequest::kVariablesMax));
  }
  for (const auto& [name, value] : *params.env) {
    if (auto checked = check_variable(name, value); !checked) return checked;
  }
  return {};
}

}  // namespace

Result<LaunchRequest> parse_launch_request(const msg::Value& params) {
  auto parsed = msg::from_value<Params>(params);
  if (!parsed) return tl::unexpected(parsed.error());
  for (const auto& [key, value] : *params.if_map()) {
    if (key == "argv" || key == "env") continue;
    return fail(Status::kMalformed,
                fmt::format("{}: launch has no such parameter (argv, env)", escape_for_log(key, 64)));
  }
  if (const auto checked = check(*parsed); !checked) return tl::unexpected(checked.error());
  LaunchRequest request;
  request.arguments = std::move(parsed->argv);
  if (parsed->env) request.environment = std::move(*parsed->env);
  return request;
}

std::vector<std::string> launch_environment(const char* const* inherited, const LaunchDisplay& display,
                                            const LaunchRequest& request) {
  std::map<std::string, std::string> variables = request.environment;
  if (display.x11.empty()) {
    variables["WAYLAND_DISPLAY"] = display.wayland_socket;
  } else {
    variables["DISPLAY"] = display.x11;
  }
  const std::string socket_dir = display.wayland_socket.substr(0, display.wayland_socket.rfind('/'));
  const std::string runtime_dir = display.runtime_dir.empty() ? socket_dir : display.runtime_dir;
  if (!runtime_dir.empty()) variables["XDG_RUNTIME_DIR"] = runtime_dir;
  std::vector<std::string> environment;
  for (const char* const* entry = inherited; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string name(text.substr(0, text.find('=')));
    const bool dropped = contains(kOfTheDisplay, name) || contains(kOfTheService, name);
    if (!dropped && !variables.contains(name)) environment.emplace_back(text);
  }
  for (const auto& [name, value] : variables) environment.push_back(fmt::format("{}={}", name, value));
  return environment;
}

}  // namespace compositord::agent
