#pragma once
// The driver for an X display. What is watched as *the compositor* is the compositing manager when there is one, else the
// window manager, else the bare server; the others are named in the manifest's parts.
//
// The end of the watched process is Gone with its cause, and so is the end of the server, with which all of them end. The
// loop then makes a new driver, which describes what is left: a server whose compositing manager crashed is described as
// what it is, and again when the next compositing manager takes over. A role that merely passes to another process, as
// with `compiz --replace`, changes the description and is no end.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/capture/screenshot_runner.h"
#include "agent/driver.h"
#include "agent/wayland/connected_display.h"
#include "agent/x11/client_counter.h"
#include "agent/x11/identify_windows.h"
#include "agent/x11/progress_probe.h"
#include "agent/x11/randr_command_runner.h"
#include "agent/x11/screen_inputs.h"
#include "agent/x11/screen_outputs.h"
#include "agent/x11/screen_roles.h"
#include "agent/x11/window_reader.h"
#include "agent/x11/x_atoms.h"
#include "agent/x11/x_client.h"
#include "agent/x11/x_connection.h"
#include "agent/x11/x_reload.h"

namespace compositord::agent::x11 {

class X11Driver : public Driver {
 public:
  // How long a description waits for an executable's word on its version.
  static constexpr Duration kVersionWait = std::chrono::milliseconds(250);
  // A client's window goes before the kernel tells how its process ended; for so long a lost role may be a death.
  static constexpr Duration kEndWait = std::chrono::milliseconds(250);
  // A server that accepted and has not answered for so long is worth a line in the log.
  static constexpr Duration kGreetingLate = std::chrono::seconds(5);

  // `display` is like ":72".
  X11Driver(FileDescriptor socket, std::string display, Peer server, Instant now);

  void poll_fds(std::vector<pollfd>& fds) const override;
  Instant next_deadline() const noexcept override;
  void service(Instant now, DriverOutputs& out) override;
  void start_probe(Instant now, DriverOutputs& out) override;
  void look_at_process(DriverOutputs& out) override;
  void count_clients(Instant now, DriverOutputs& out) override;
  void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
               Instant deadline, DriverOutputs& out) override;

 private:
  using OutputStates = std::vector<std::pair<std::string, msg::OutputState>>;
  // kSetup (XCB starts) -> kNaming (atoms, extensions) -> kReading (the first description) -> kUp. All -> kEnding: the
  // connection broke; the kernel may still tell how the server ended. Any -> kGone: Gone was said, nothing follows.
  enum class State { kSetup, kNaming, kReading, kUp, kEnding, kGone };
  // The server's extensions that the driver speaks, when it has them.
  struct Extensions {
    bool randr = false;
    bool xfixes = false;
    bool xres = false;
    bool xinput = false;
    std::uint8_t randr_first_event = 0;
    std::uint8_t xfixes_first_event = 0;
    std::uint8_t xinput_opcode = 0;
  };

  void pump(Instant now);
  void on_broken(std::string text, Instant now);
  void advance();
  void begin_naming();
  void begin_reading();
  void take_extension_names(const void* reply);
  void listen();
  void read_what_changed();
  void read_inputs();
  void on_event(const xcb_generic_event_t& event);
  void take_roles(Instant now, DriverOutputs& out);
  bool lost_watched(const ScreenRoles& roles) const;
  void adopt(std::optional<XClient>& client, const RoleWindow& window, Instant now, DriverOutputs& out);
  void check_end(Instant now, DriverOutputs& out);
  void check_server_end(Instant now, DriverOutputs& out);
  void say_gone(driver_event::Gone gone, DriverOutputs& out);
  void check_versions(Instant now);
  void check_probe(Instant now, DriverOutputs& out);
  void describe_if_due(Instant now, DriverOutputs& out);
  void describe_outputs(DriverOutputs& out);
  XClient* watched();
  const XClient& named() const;         // whom the manifest is about
  const ScreenOutputs& screen() const;  // nothing before it was read
  ProgressProbe::Target probe_target() const;
  std::vector<msg::CommandSupport> commands() const;
  std::vector<XReload::Target> reload_targets() const;
  Result<std::unique_ptr<Capture>> begin_capture(const ScreenshotRequest& request);
  msg::Manifest manifest() const;

  std::string display_;
  Instant greeting_late_at_;
  std::vector<LogEvent> pending_log_;
  State state_ = State::kSetup;
  XConnection connection_;
  XAtoms atoms_;
  Extensions extensions_;
  std::vector<std::string> extension_names_;
  bool names_answered_ = false;

  XClient server_;
  std::optional<XClient> compositing_manager_;
  std::optional<XClient> window_manager_;
  std::optional<ScreenRoles> roles_read_;  // not taken yet
  Instant roles_wait_until_ = kNever;      // for the kernel's word on a process that lost its role
  bool want_roles_ = false;
  bool reading_roles_ = false;

  std::optional<ScreenOutputs> outputs_;
  bool want_outputs_ = false;
  bool reading_outputs_ = false;

  std::optional<std::vector<msg::InputDevice>> inputs_;
  bool want_inputs_ = false;
  bool reading_inputs_ = false;

  std::optional<RandrCommandRunner> runner_;
  std::optional<IdentifyWindows> identify_;
  std::optional<ProgressProbe> probe_;
  std::optional<XReload> reload_;
  std::optional<WindowReader> windows_;
  std::optional<ClientCounter> clients_;  // where the server tells of them
  ScreenshotRunner screenshots_;
  bool changed_ = false;
  Instant describe_not_before_ = kNever;
  EndWait end_wait_;  // of the server
  std::string broken_text_;
  std::optional<msg::Manifest> described_;
  OutputStates output_states_;
};

// The factory for DisplayWatch. Never blocks. Errors: kFailed when the peer is unknown.
Result<std::unique_ptr<Driver>> make_x11_driver(ConnectedDisplay display, Instant now);

}  // namespace compositord::agent::x11
