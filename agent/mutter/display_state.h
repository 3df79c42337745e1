#pragma once
// Mutter's picture of its monitors, as org.gnome.Mutter.DisplayConfig tells it. Plain data.
//
// A monitor is a screen with modes. A logical monitor is a place in the layout that one monitor fills, or several that show the same.
// A monitor that is in none is switched off.

#include <cstdint>
#include <string>
#include <vector>

#include "common/msg/manifest.h"

namespace compositord::agent::mutter {

struct MonitorMode {
  std::string id;  // "1280x720@60.000"
  msg::Mode mode;
  bool current = false;
  double preferred_scale = 1.0;
  std::vector<double> scales;  // the only ones that it takes
};

struct Monitor {
  std::string connector;  // "Meta-0", as the output is called on the bus
  std::string vendor;
  std::string product;
  std::string serial;
  std::string display_name;
  std::vector<MonitorMode> modes;
};

struct LogicalMonitor {
  std::int32_t x = 0;
  std::int32_t y = 0;
  double scale = 1.0;
  msg::Transform transform = msg::Transform::k0;  // Mutter counts them as wl_output does
  bool primary = false;
  std::vector<std::string> connectors;
};

struct DisplayState {
  std::uint32_t serial = 0;
  std::vector<Monitor> monitors;
  std::vector<LogicalMonitor> logical_monitors;
  bool positions_are_logical = false;  // a logical monitor's size in the layout is divided by its scale
};

const Monitor* find_monitor(const DisplayState& state, const std::string& connector);
// The one that has this connector.
const LogicalMonitor* find_logical(const DisplayState& state, const std::string& connector);

}  // namespace compositord::agent::mutter
