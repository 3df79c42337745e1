#include "agent/mutter/display_state.h"

#include <algorithm>

namespace compositord::agent::mutter {

const Monitor* find_monitor(const DisplayState& state, const std::string& connector) {
  const auto found = std::find_if(state.monitors.begin(), state.monitors.end(),
                                  [&](const Monitor& monitor) { return monitor.connector == connector; });
  return found == state.monitors.end() ? nullptr : &*found;
}

const LogicalMonitor* find_logical(const DisplayState& state, const std::string& connector) {
  const auto found =
      std::find_if(state.logical_monitors.begin(), state.logical_monitors.end(), [&](const auto& logical) {
        const auto& names = logical.connectors;
        return std::find(names.begin(), names.end(), connector) != names.end();
      });
  return found == state.logical_monitors.end() ? nullptr : &*found;
}

}  // namespace compositord::agent::mutter
