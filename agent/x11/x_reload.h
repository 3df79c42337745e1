#pragma once
// The command `reload` on an X display: its compositing manager and its window manager read their configuration again, those of
// them that can be made to.
//
//   picom    SIGUSR1 (picom(1), SIGNALS). It then ends its session and begins a new one, and ends for good when it can't read its
//            configuration; so a second picom reads that first, with --diagnostics, which ends before it composites anything.
//            It is done when the same process has taken the selection anew, often with a window of the same number.
//   openbox  the client message _OB_CONTROL, as `openbox --reconfigure` sends it. Nothing checks its configuration: it goes on with
//            its defaults when that is bad. It is done when it has set the root's _OB_THEME anew, which follows the reading.
//
//            One that has no theme yet is starting: it is waited for. One that has just begun may still lose the message, so it
//            is told again until that is seen.
//
//   begin() -> kChecking (picom), kStarting (openbox) -> kTold -> the next one, or the end

#include <poll.h>
#include <xcb/xcb.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/driver.h"
#include "agent/output/reload_command.h"
#include "agent/process/config_check.h"
#include "agent/process/peer.h"
#include "agent/x11/screen_roles.h"
#include "agent/x11/x_atoms.h"
#include "agent/x11/x_connection.h"
#include "common/base/instant.h"
#include "common/msg/value.h"

namespace compositord::agent::x11 {

class XReload {
 public:
  // picom with OpenGL takes a second to begin anew on a slow machine.
  static constexpr Duration kReloadTime = std::chrono::seconds(5);
  static constexpr Duration kTellAgain = std::chrono::milliseconds(500);

  struct Target {
    std::string name;
    Peer peer;
  };

  // `xfixes_first_event`: of a server with XFixes.
  XReload(XConnection& connection, const XAtoms& atoms, std::string display,
          std::optional<std::uint8_t> xfixes_first_event)
      : connection_(connection), atoms_(atoms), display_(std::move(display)), xfixes_first_event_(xfixes_first_event) {}

  static bool can_reload(const std::string& name) { return name == "picom" || name == "openbox"; }
  // `targets`: at least one, each of which can_reload().
  void begin(std::uint64_t command_id, const msg::Value& params, std::vector<Target> targets, Instant now,
             Instant deadline, DriverOutputs& out);
  // Whether somebody was told, or is to be, and has not shown yet that it was done.
  bool is_waiting() const noexcept { return step_ == Step::kStarting || step_ == Step::kTold; }
  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept;
  void service(Instant now, DriverOutputs& out);
  void on_event(const xcb_generic_event_t& event);
  void on_roles(const ScreenRoles& roles);
  void on_gone(DriverOutputs& out);

 private:
  enum class Step : std::uint8_t { kIdle, kChecking, kStarting, kTold, kDone };

  const Target& target() const { return targets_.front(); }
  void begin_target(Instant now, DriverOutputs& out);
  void take_verdict(Instant now, DriverOutputs& out);
  void tell_picom(Instant now, DriverOutputs& out);
  void ask_openbox(Instant now);
  void tell_openbox();
  void on_openbox_theme(std::uint32_t sequence);
  void end_target(Instant now, DriverOutputs& out);
  void fail(Status status, std::string error, DriverOutputs& out);
  void forget();

  XConnection& connection_;
  const XAtoms& atoms_;
  std::string display_;
  std::optional<std::uint8_t> xfixes_first_event_;
  ReloadCommand command_;
  std::vector<Target> targets_;  // the front one is at work
  std::string done_;             // by those before it
  bool all_checked_ = true;
  std::optional<ConfigCheck> check_;
  Step step_ = Step::kIdle;
  std::uint32_t asked_ = 0;  // our last request to openbox, in the connection's sequence: older news is not its answer
  bool is_taken_anew_ = false;  // the compositing manager's selection
  Instant tell_again_at_ = kNever;
  Instant give_up_at_ = kNever;
};

// What picom's own lines in its log say: without times and places in its source.
std::string picom_complaints_in(std::string_view log);
// The arguments for a second picom that only reads the configuration of the first: as that was started, but for what goes to the
// background or writes files.
std::vector<std::string> picom_check_arguments(const std::vector<std::string>& arguments);

}  // namespace compositord::agent::x11
