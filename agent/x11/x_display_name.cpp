#include "agent/x11/x_display_name.h"

#include <algorithm>

namespace compositord::agent::x11 {

namespace {

constexpr std::size_t kDigitsMax = 5;

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= kDigitsMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<std::string> local_x_display(std::string_view name) {
  if (name.starts_with("unix:")) name.remove_prefix(4);
  if (!name.starts_with(':')) return std::nullopt;
  name.remove_prefix(1);
  const std::size_t dot = name.find('.');
  // Screens other than the first belong to the same server: with RandR there is only one.
  if (dot != std::string_view::npos && !is_number(name.substr(dot + 1))) return std::nullopt;
  const std::string_view number = name.substr(0, dot);
  if (!is_number(number)) return std::nullopt;
  return ":" + std::string(number);
}

std::string x_socket_path(const std::string& display) { return "/tmp/.X11-unix/X" + display.substr(1); }

std::string x_display_of_socket(std::string_view file) {
  return file.starts_with('X') ? ":" + std::string(file.substr(1)) : std::string(file);
}

}  // namespace compositord::agent::x11
