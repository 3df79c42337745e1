#include "agent/wayland/compositor_facts.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "agent/output/output_command.h"
#include "agent/process/peer.h"

namespace compositord::agent {

namespace {

constexpr std::array<std::string_view, 14> kKnownExecutables{
    "sway",    "weston", "phoc",     "cage",      "kwin_wayland", "mutter",      "gnome-shell",
    "wayfire", "labwc",  "Hyprland", "gamescope", "river",        "cosmic-comp", "niri"};

// A global that one compositor alone announces. The first that is there decides.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kFingerprints{
    {{"weston_desktop_shell", "weston"},
     {"phosh_private", "phoc"},
     {"kde_output_management_v2", "kwin_wayland"},
     {"zwf_shell_manager_v2", "wayfire"},
     {"hyprland_global_shortcuts_manager_v1", "Hyprland"},
     {"zriver_control_v1", "river"},
     {"gtk_shell1", "mutter"}}};

bool announces(const std::vector<msg::Protocol>& protocols, std::string_view name) {
  return std::any_of(protocols.begin(), protocols.end(), [&](const auto& p) { return p.name == name; });
}

std::string reason(std::string_view compositor) {
  if (compositor == "weston") {
    return "weston offers no protocol to change an output; restart it with another weston.ini";
  }
  if (compositor == "cage") {
    return "cage offers no protocol to change an output; restart it with other settings";
  }
  return fmt::format("{} offers no protocol that this agent speaks to change an output", compositor);
}

std::string screenshot_reason(std::string_view compositor) {
  if (compositor == "mutter" || compositor == "gnome-shell") {
    return fmt::format(
        "{} shows its screen to programs only by ScreenCast with PipeWire, and was not found on its session bus yet",
        compositor);
  }
  if (compositor == "kwin_wayland") {
    return "kwin_wayland takes screenshots by D-Bus (org.kde.KWin.ScreenShot2), and was not found on its session bus "
           "yet";
  }
  return fmt::format(
      "{} offers no protocol that this agent speaks to take a screenshot (zwlr_screencopy_manager_v1, "
      "weston_capture_v1, weston_screenshooter)",
      compositor);
}

std::string reload_reason(std::string_view compositor) {
  if (compositor == "weston" || compositor == "phoc") {
    return fmt::format("{} reads its configuration only when it starts; restart it", compositor);
  }
  if (compositor == "cage") return "cage has no configuration";
  if (compositor == "mutter" || compositor == "gnome-shell") {
    return fmt::format("{} follows each change of its settings by itself; there is nothing to reload", compositor);
  }
  return fmt::format("this agent knows no way to make {} read its configuration again", compositor);
}

std::string no_output_added(std::string_view compositor) {
  constexpr std::array<std::string_view, 4> kMadeAtStart{"weston", "kwin_wayland", "mutter", "gnome-shell"};
  if (std::find(kMadeAtStart.begin(), kMadeAtStart.end(), compositor) != kMadeAtStart.end()) {
    return fmt::format("{} has the outputs that it found or made when it started, and is told of no others",
                       compositor);
  }
  return fmt::format("{} offers no protocol that this agent speaks to add an output", compositor);
}

}  // namespace

std::string compositor_name(const std::string& executable, const std::vector<msg::Protocol>& protocols) {
  std::string name = executable_name(executable);
  if (std::find(kKnownExecutables.begin(), kKnownExecutables.end(), name) != kKnownExecutables.end()) return name;
  for (const auto& [global, compositor] : kFingerprints) {
    if (announces(protocols, global)) return std::string(compositor);
  }
  return name.empty() ? "unknown" : name;
}

std::vector<msg::CommandSupport> unsupported_commands(std::string_view compositor) {
  const std::string why = reason(compositor);
  std::vector<msg::CommandSupport> commands;
  for (const char* name : {"output.configure", "output.disable", "output.enable", "output.mode", "output.position",
                           "output.power", "output.scale", "output.transform"}) {
    commands.push_back(msg::CommandSupport{name, false, why});
  }
  commands.push_back(msg::CommandSupport{std::string(kScreenshotCommand), false, screenshot_reason(compositor)});
  commands.push_back(msg::CommandSupport{"reload", false, reload_reason(compositor)});
  commands.push_back(msg::CommandSupport{"output.add", false, no_output_added(compositor)});
  return commands;
}

}  // namespace compositord::agent
