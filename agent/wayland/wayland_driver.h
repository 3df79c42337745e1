#pragma once
// The driver for any Wayland compositor: what the core protocol and xdg-output tell, the process behind the socket, the
// round trip as progress probe, and the wlr or KDE protocols for its outputs where they are announced. What a compositor offers on
// its session bus comes as a Companion; drivers for compositors that offer more are built around this one (agent/sway).
//
// Order on the descriptor, as wayland-client's contract wants it: prepare_read -> flush -> (the loop polls) -> read_events
// -> dispatch_pending. Between two calls no read is prepared, so the loop may come for any reason or none.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/capture/screenshot_runner.h"
#include "agent/driver.h"
#include "agent/output/output_command.h"
#include "agent/process/end_wait.h"
#include "agent/process/peer.h"
#include "agent/process/process_watch.h"
#include "agent/process/version_query.h"
#include "agent/wayland/companion.h"
#include "agent/wayland/connected_display.h"
#include "agent/wayland/frame_probe.h"
#include "agent/wayland/identify_overlay.h"
#include "agent/wayland/registry_mirror.h"
#include "agent/wayland/window_query.h"

struct wl_callback;
struct wl_display;

namespace compositord::agent {

class WaylandDriver : public Driver {
 public:
  // How long the first description waits for the executable's word on its version, and for the companion.
  static constexpr Duration kVersionWait = std::chrono::milliseconds(250);
  // How long a description may wait for new objects to say what they are.
  static constexpr Duration kSettleWait = std::chrono::seconds(1);
  // A compositor that accepted and has not answered for so long is worth a line in the log.
  static constexpr Duration kGreetingLate = std::chrono::seconds(5);
  // Outputs that are remembered as disconnected; the oldest is forgotten first.
  static constexpr std::size_t kOutputsRememberedMax = 256;

  struct Options {
    bool ask_executable = true;         // the version comes from `EXE --version`
    bool control_outputs = true;        // commands are carried out by the wlr protocols, where they are announced
    Duration frame_probe{};             // how often it is looked whether frames are drawn; zero: never
    CompanionFactory make_companion{};  // asked once, when it is known what compositor it is; none: no companions
  };
  // Errors: kFailed when the display can't be used at all.
  static Result<std::unique_ptr<WaylandDriver>> create(ConnectedDisplay display, Peer peer, Options options,
                                                       Instant now);
  ~WaylandDriver() override;

  void poll_fds(std::vector<pollfd>& fds) const override;
  Instant next_deadline() const noexcept override;
  void service(Instant now, DriverOutputs& out) override;
  void start_probe(Instant now, DriverOutputs& out) override;
  void look_at_process(DriverOutputs& out) override;
  void count_clients(Instant now, DriverOutputs& out) override;
  // What the manifest doesn't list as supported ends with kUnsupported and its reason, unknown methods with kNotFound.
  void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
               Instant deadline, DriverOutputs& out) override;

  // Begins to ask the executable for its version, when that is not known and not being asked.
  void ask_executable(Instant now, DriverOutputs& out);
  bool is_asking_executable() const noexcept { return version_query_.has_value(); }
  const Peer& peer() const noexcept { return peer_; }

 private:
  // kGreeting -> kUp: the first round trip was answered. Both -> kEnding: the connection broke; the kernel may still tell
  // how the process ended. Any -> kGone: Gone was said, nothing follows.
  enum class State { kGreeting, kUp, kEnding, kGone };
  // Owns what must go before the display does, and the display.
  struct Connection;
  friend struct SyncEvents;

  WaylandDriver(ConnectedDisplay& display, Peer peer, std::unique_ptr<Connection> connection, Options options,
                Instant now);
  void watch_process();
  void pump(Instant now, DriverOutputs& out);
  bool flush();
  void on_broken(Instant now);
  void check_end(Instant now, DriverOutputs& out);
  void say_gone(const ProcessEnd& end, std::string text, DriverOutputs& out);
  void check_version(Instant now, DriverOutputs& out);
  void begin_companion(Instant now, DriverOutputs& out);
  void serve_companion(Instant now, DriverOutputs& out);
  bool bind_controls();
  void settle(Instant now, DriverOutputs& out);
  void carry_out(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
                 Instant deadline, DriverOutputs& out);
  void serve_commands(Instant now, DriverOutputs& out);
  void serve_screenshots(Instant now, DriverOutputs& out);
  Result<std::unique_ptr<Capture>> begin_capture(const ScreenshotRequest& request) const;
  void describe_if_due(Instant now, DriverOutputs& out);
  void describe_outputs(const std::vector<KnownOutput>& outputs, DriverOutputs& out);
  std::string name() const;
  std::vector<msg::CommandSupport> commands() const;
  msg::Manifest manifest() const;

  Options options_;
  std::string display_name_;
  std::string socket_path_;
  Peer peer_;
  std::unique_ptr<Connection> connection_;
  std::optional<ProcessWatch> process_;
  std::optional<VersionQuery> version_query_;
  IdentifyOverlay identify_;
  WindowQuery windows_;
  FrameProbe frames_;
  std::string version_;
  std::string version_source_;
  ScreenshotRunner screenshots_;
  std::string screenshot_refusal_;  // what the compositor has answered to one, if it won't give any
  std::unique_ptr<Companion> companion_;

  State state_ = State::kGreeting;
  bool flush_blocked_ = false;    // the socket is full: wait for POLLOUT
  bool unsettled_ = false;        // something was bound that no round trip was sent behind yet
  bool settle_answered_ = false;  // set by the callback, taken by settle()
  bool probe_answered_ = false;
  bool changed_ = false;
  Instant describe_not_before_ = kNever;  // while the version or the companion is waited for
  Instant settle_until_ = kNever;
  Instant greeting_late_at_;
  EndWait end_wait_;
  std::string broken_text_;
  std::vector<LogEvent> pending_log_;

  std::optional<msg::Manifest> described_;
  std::vector<std::pair<std::string, msg::OutputState>> output_states_;
  std::uint64_t refused_logged_ = 0;
};

}  // namespace compositord::agent
