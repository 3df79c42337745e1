#pragma once
// Hyprland's words for IpcDriver. Source: wiki.hypr.land "IPC", "Using hyprctl" and "Monitors" (0.54 and before), and discussion
// hyprwm/Hyprland#15151 for what it rounds.
//
// A request is FLAGS/COMMAND, "j" for JSON, and Hyprland closes the connection behind the reply. A change says "ok" or what is
// wrong with it. An event is EVENT>>DATA and a line break.
//
// `keyword monitor` sets the whole rule of a monitor: what j/monitors doesn't tell (colour management, VRR, mirroring) falls back
// to the defaults until `reload`; and since 0.55 it refuses where the configuration is written in Lua. wlr-output-management
// keeps the rest of the rule, so it is preferred where it is announced.

#include "agent/ipc/line_session.h"

namespace compositord::agent::hyprland {

class HyprlandDialect : public LineDialect {
 public:
  std::string_view compositor() const noexcept override { return "Hyprland"; }
  std::string_view driver() const noexcept override { return "hyprland"; }
  std::string request(IpcQuestion question) const override;
  std::string change(const OutputCommand& command, const KnownOutput& before) const override;
  // Answered before the monitor is there.
  std::string create_output() const override { return "/output create headless"; }
  Result<std::string> parse_version(std::string_view payload) const override;
  Result<std::vector<KnownOutput>> parse_outputs(std::string_view payload) const override;
  Result<std::vector<msg::InputDevice>> parse_inputs(std::string_view payload) const override;
  Result<std::string> parse_refusal(std::string_view payload) const override;

  bool prefers_wayland() const noexcept override { return true; }
  // Refresh rates of the list of modes have two decimals, scales too; the current mode's refresh rate has five.
  bool has_exact_modes() const noexcept override { return false; }
  Result<KnownOutput> find(const OutputCommand& command, const std::vector<KnownOutput>& outputs) const override;
  bool shows_wish(const OutputCommand& command, const KnownOutput& output) const override;

  bool reply_is_line() const noexcept override { return false; }
  std::string events_request() const override { return {}; }
  Result<IpcSession::Changes> parse_event(std::string_view line) const override;

  std::string reload_obstacle(std::string_view) const override { return {}; }
  std::string reload_request() const override { return "/reload"; }
  Result<std::string> parse_reload_refusal(std::string_view payload) const override { return parse_refusal(payload); }
  bool begins_with_reload() const override { return false; }
  std::string errors_request() const override { return "j/configerrors"; }
  Result<std::string> parse_reload_errors(std::string_view payload) const override;
};

}  // namespace compositord::agent::hyprland
