#include "agent/sway/driver_factory.h"

#include <sys/stat.h>

#include <string>
#include <utility>

#include <fmt/format.h>

#include "agent/kde/kwin_bus.h"
#include "agent/mutter/mutter_companion.h"
#include "agent/process/peer.h"
#include "agent/sway/sway_driver.h"
#include "agent/wayland/wayland_driver.h"

namespace compositord::agent {

namespace {

// sway names its IPC socket after its user and its pid, beside its Wayland socket. Source: sway-ipc(7).
std::string sway_ipc_path(const ConnectedDisplay& display, const Peer& peer) {
  const std::string directory = display.socket_path.substr(0, display.socket_path.rfind('/'));
  return fmt::format("{}/sway-ipc.{}.{}.sock", directory, peer.uid, peer.pid);
}

bool exists(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0;
}

// gnome-shell is Mutter with a shell around it.
std::unique_ptr<Companion> make_companion(const std::string& compositor, const Peer& peer, DriverOutputs&) {
  if (compositor == "mutter" || compositor == "gnome-shell") return std::make_unique<mutter::MutterCompanion>(peer);
  if (compositor == "kwin_wayland") return std::make_unique<kde::KwinBus>(peer);
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<Driver>> make_wayland_family_driver(ConnectedDisplay display, Instant now) {
  auto peer = identify_peer(display.socket.get());
  if (!peer) return tl::unexpected(peer.error());
  const std::string ipc_path = sway_ipc_path(display, *peer);
  // sway may not have made its IPC socket yet, and a packager may have renamed sway: either fact is enough.
  const bool is_sway = executable_name(peer->executable) == "sway" || exists(ipc_path);
  WaylandDriver::Options options;
  options.ask_executable = options.control_outputs = !is_sway;  // sway's IPC tells both, and does more
  options.make_companion = make_companion;
  auto wayland = WaylandDriver::create(std::move(display), std::move(*peer), std::move(options), now);
  if (!wayland) return tl::unexpected(wayland.error());
  if (!is_sway) return std::unique_ptr<Driver>(std::move(*wayland));
  return std::unique_ptr<Driver>(std::make_unique<sway::SwayDriver>(std::move(*wayland), ipc_path));
}

}  // namespace compositord::agent
