#include "agent/mutter/display_config.h"

#include <sdbus-c++/sdbus-c++.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "agent/output/output_manager.h"
#include "common/base/log_event.h"

namespace compositord::agent::mutter {

namespace {

constexpr std::size_t kScalesMax = 64;
constexpr std::size_t kPropertiesMax = 64;
using Properties = std::map<std::string, sdbus::Variant>;

// Thrown by the readers below, and caught in decode_state() like what sdbus-c++ throws.
sdbus::Error too_long(const char* what) {
  return {"compositord.TooLong", fmt::format("its list of {} is too long", what)};
}

// Each reads one element; false at the end of the list.
template <class T, class ReadOne>
std::vector<T> read_list(sdbus::Message& m, const char* signature, std::size_t max, const char* what,
                         ReadOne read_one) {
  std::vector<T> list;
  m.enterContainer(signature);
  for (T element{}; read_one(m, element); element = T{}) {
    if (list.size() >= max) throw too_long(what);
    list.push_back(std::move(element));
  }
  m.clearFlags();  // the end of a list counts as a failure there
  m.exitContainer();
  return list;
}

Properties read_properties(sdbus::Message& m) {
  Properties properties;
  m.enterContainer("{sv}");
  while (m.enterDictEntry("sv")) {
    if (properties.size() >= kPropertiesMax) throw too_long("properties");
    std::string key;
    sdbus::Variant value;
    m >> key >> value;
    properties.emplace(std::move(key), std::move(value));
    m.exitDictEntry();
  }
  m.clearFlags();
  m.exitContainer();
  return properties;
}

template <class T>
T property(const Properties& properties, const char* name, T otherwise) {
  const auto found = properties.find(name);
  return found != properties.end() && found->second.containsValueOfType<T>() ? found->second.get<T>() : otherwise;
}

std::string read_text(sdbus::Message& m) {
  std::string text;
  m >> text;
  return escape_for_log(text);
}

std::uint32_t not_negative(std::int32_t n) { return static_cast<std::uint32_t>(std::max(n, 0)); }

bool is_number(double n, double max) { return std::isfinite(n) && n >= 0 && n <= max; }

bool read_scale(sdbus::Message& m, double& scale) { return static_cast<bool>(m >> scale); }

bool read_mode(sdbus::Message& m, MonitorMode& mode) {
  if (!m.enterStruct("siiddada{sv}")) return false;
  std::int32_t width = 0;
  std::int32_t height = 0;
  double refresh_hz = 0;
  m >> mode.id >> width >> height >> refresh_hz >> mode.preferred_scale;
  mode.mode.width_px = not_negative(width);
  mode.mode.height_px = not_negative(height);
  mode.mode.refresh_mhz = is_number(refresh_hz, 1e5) ? static_cast<std::uint32_t>(std::lround(refresh_hz * 1000)) : 0;
  mode.scales = read_list<double>(m, "d", kScalesMax, "scales", read_scale);
  std::erase_if(mode.scales, [](double scale) { return !is_number(scale, 100) || scale == 0; });
  const Properties properties = read_properties(m);
  mode.current = property(properties, "is-current", false);
  mode.mode.preferred = property(properties, "is-preferred", false);
  m.exitStruct();
  return true;
}

bool read_monitor(sdbus::Message& m, Monitor& monitor) {
  if (!m.enterStruct("(ssss)a(siiddada{sv})a{sv}")) return false;
  m.enterStruct("ssss");
  monitor.connector = read_text(m);
  monitor.vendor = read_text(m);
  monitor.product = read_text(m);
  monitor.serial = read_text(m);
  m.exitStruct();
  monitor.modes = read_list<MonitorMode>(m, "(siiddada{sv})", OutputManager::kModesMax, "modes", read_mode);
  monitor.display_name = escape_for_log(property(read_properties(m), "display-name", std::string()));
  m.exitStruct();
  return true;
}

bool read_connector(sdbus::Message& m, std::string& connector) {
  if (!m.enterStruct("ssss")) return false;
  connector = read_text(m);
  for (int i = 0; i < 3; ++i) read_text(m);
  m.exitStruct();
  return true;
}

bool read_logical_monitor(sdbus::Message& m, LogicalMonitor& logical) {
  if (!m.enterStruct("iiduba(ssss)a{sv}")) return false;
  std::uint32_t transform = 0;
  m >> logical.x >> logical.y >> logical.scale >> transform >> logical.primary;
  logical.transform = transform <= 7 ? static_cast<msg::Transform>(transform) : msg::Transform::k0;
  if (!is_number(logical.scale, 100) || logical.scale == 0) logical.scale = 1.0;
  logical.connectors =
      read_list<std::string>(m, "(ssss)", OutputManager::kHeadsMax, "mirrored monitors", read_connector);
  read_properties(m);
  m.exitStruct();
  return true;
}

}  // namespace

Result<DisplayState> decode_state(sdbus::Message& reply) {
  try {
    DisplayState state;
    reply >> state.serial;
    state.monitors =
        read_list<Monitor>(reply, "((ssss)a(siiddada{sv})a{sv})", OutputManager::kHeadsMax, "monitors", read_monitor);
    state.logical_monitors = read_list<LogicalMonitor>(reply, "(iiduba(ssss)a{sv})", OutputManager::kHeadsMax,
                                                       "logical monitors", read_logical_monitor);
    state.positions_are_logical = property<std::uint32_t>(read_properties(reply), "layout-mode", 1) == 1;
    return state;
  } catch (const sdbus::Error& error) {
    return fail(Status::kMalformed, fmt::format("its state can't be read: {}", escape_for_log(error.getMessage())));
  }
}

void encode_configuration(sdbus::Message& call, std::uint32_t serial, ApplyMethod method,
                          const std::vector<Place>& places) {
  using MonitorChoice = sdbus::Struct<std::string, std::string, Properties>;  // connector, mode id
  call << serial << static_cast<std::uint32_t>(method);
  call.openContainer("(iiduba(ssa{sv}))");
  for (const Place& place : places) {
    call.openStruct("iiduba(ssa{sv})");
    call << place.x << place.y << place.scale << static_cast<std::uint32_t>(place.transform) << place.primary;
    std::vector<MonitorChoice> monitors;
    for (const auto& [connector, mode] : place.monitors) monitors.emplace_back(connector, mode, Properties());
    call << monitors;
    call.closeStruct();
  }
  call.closeContainer();
  call << Properties();
}

}  // namespace compositord::agent::mutter
