#include "agent/kernel/uevent.h"

#include "common/base/log_event.h"

namespace compositord::agent {

namespace {

void take_pair(std::string_view key, std::string_view value, Uevent& event) {
  if (key == "ACTION") event.action = escape_for_log(value, 32);
  if (key == "DEVPATH") event.device = escape_for_log(value);
  if (key == "SUBSYSTEM") event.subsystem = escape_for_log(value, 64);
  if (key == "HOTPLUG") event.hotplug = value == "1";
  if (key == "WEDGED") event.wedged = escape_for_log(value, 64);
}

}  // namespace

std::optional<Uevent> parse_uevent(std::string_view bytes) {
  const std::size_t head = bytes.find('\0');
  if (head == std::string_view::npos || bytes.substr(0, head).find('@') == std::string_view::npos) return std::nullopt;
  Uevent event;
  for (std::size_t begin = head + 1; begin < bytes.size();) {
    const std::string_view rest = bytes.substr(begin);
    const std::string_view pair = rest.substr(0, rest.find('\0'));
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos) take_pair(pair.substr(0, equals), pair.substr(equals + 1), event);
    begin += pair.size() + 1;
  }
  if (event.action.empty() || event.device.empty()) return std::nullopt;
  return event;
}

}  // namespace compositord::agent
