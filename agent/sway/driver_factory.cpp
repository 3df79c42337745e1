#include "agent/sway/driver_factory.h"

#include <sys/stat.h>

#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "agent/hyprland/hyprland_dialect.h"
#include "agent/hyprland/hyprland_instance.h"
#include "agent/ipc/ipc_driver.h"
#include "agent/ipc/line_reload.h"
#include "agent/kde/kwin_bus.h"
#include "agent/mutter/mutter_companion.h"
#include "agent/niri/niri_dialect.h"
#include "agent/process/peer.h"
#include "agent/sway/reload.h"
#include "agent/sway/sway_dialect.h"
#include "agent/sway/sway_session.h"
#include "agent/wayland/wayland_driver.h"

namespace compositord::agent {

namespace {

// What a display is known by, before its compositor has said a word.
struct Facts {
  std::string directory;  // of its socket
  std::string display;    // its socket's name
  std::string executable;
  pid_t pid = 0;
  uid_t uid = 0;
};

// How to talk to a compositor that has an IPC of its own.
struct Ipc {
  std::unique_ptr<const IpcDialect> dialect;  // none: any other compositor
  std::unique_ptr<IpcSession> session;
  std::unique_ptr<IpcReload> reload = nullptr;
};

bool exists(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0;
}

// A compositor may not have made its IPC socket yet, and a packager may have renamed its executable: either fact is enough.

// sway names its IPC socket after its user and its pid, beside its Wayland socket. Source: sway-ipc(7).
Ipc sway_ipc(const Facts& facts) {
  std::string path = fmt::format("{}/sway-ipc.{}.{}.sock", facts.directory, facts.uid, facts.pid);
  if (facts.executable != "sway" && !exists(path)) return {};
  return {std::make_unique<sway::SwayDialect>(), std::make_unique<sway::SwaySession>(std::move(path), facts.pid),
          std::make_unique<sway::Reload>()};
}

Ipc hyprland_ipc(const Facts& facts) {
  if (facts.executable != "Hyprland" && !hyprland::find_instance(facts.directory, facts.pid)) return {};
  auto dialect = std::make_unique<hyprland::HyprlandDialect>();
  const auto find = [directory = facts.directory, pid = facts.pid] {
    return hyprland::find_instance(directory, pid).map([](const std::string& folder) {
      return LineSession::Paths{folder + "/.socket.sock", folder + "/.socket2.sock"};
    });
  };
  auto session = std::make_unique<LineSession>(*dialect, find, facts.pid);
  auto reload = std::make_unique<LineReload>(*dialect);
  return {std::move(dialect), std::move(session), std::move(reload)};
}

// niri names its IPC socket after its display and its pid, beside its Wayland socket. Source: the niri wiki, "IPC".
Ipc niri_ipc(const Facts& facts) {
  const std::string path = fmt::format("{}/niri.{}.{}.sock", facts.directory, facts.display, facts.pid);
  if (facts.executable != "niri" && !exists(path)) return {};
  auto dialect = std::make_unique<niri::NiriDialect>();
  const auto find = [path]() -> Result<LineSession::Paths> { return LineSession::Paths{path, path}; };
  auto session = std::make_unique<LineSession>(*dialect, find, facts.pid);
  auto reload = std::make_unique<LineReload>(*dialect);
  return {std::move(dialect), std::move(session), std::move(reload)};
}

// gnome-shell is Mutter with a shell around it.
std::unique_ptr<Companion> make_companion(const std::string& compositor, const Peer& peer, DriverOutputs&) {
  if (compositor == "mutter" || compositor == "gnome-shell")
    return std::make_unique<mutter::MutterCompanion>(peer, compositor);
  if (compositor == "kwin_wayland") return std::make_unique<kde::KwinBus>(peer);
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<Driver>> make_wayland_family_driver(ConnectedDisplay display, Instant now,
                                                           Duration frame_probe) {
  auto peer = identify_peer(display.socket.get());
  if (!peer) return tl::unexpected(peer.error());
  const std::string& path = display.socket_path;
  const Facts facts{path.substr(0, path.rfind('/')), display.name, executable_name(peer->executable), peer->pid,
                    peer->uid};
  Ipc ipc = sway_ipc(facts);
  // sway's IPC does all that its wlr protocols do, and more; the others' protocols stay in use.
  const bool is_sway = ipc.dialect != nullptr;
  if (ipc.dialect == nullptr) ipc = hyprland_ipc(facts);
  if (ipc.dialect == nullptr) ipc = niri_ipc(facts);
  WaylandDriver::Options options;
  options.ask_executable = ipc.dialect == nullptr;  // the IPC tells the version
  options.control_outputs = !is_sway;
  options.frame_probe = frame_probe;
  options.make_companion = make_companion;
  auto wayland = WaylandDriver::create(std::move(display), std::move(*peer), std::move(options), now);
  if (!wayland) return tl::unexpected(wayland.error());
  if (ipc.dialect == nullptr) return std::unique_ptr<Driver>(std::move(*wayland));
  return std::unique_ptr<Driver>(std::make_unique<IpcDriver>(std::move(*wayland), std::move(ipc.dialect),
                                                             std::move(ipc.session), std::move(ipc.reload)));
}

}  // namespace compositord::agent
