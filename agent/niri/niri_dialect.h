#pragma once
// niri's words for IpcDriver. Source: docs.rs/niri-ipc, the niri wiki's page "IPC".
//
// A request is a line of JSON, a reply too: {"Ok":…} or {"Err":"why"}. niri before 25.8 takes one request per connection, so
// each gets its own. A change of an output is temporary: it is forgotten when its part of the configuration file changes.

#include "agent/ipc/line_session.h"

namespace compositord::agent::niri {

class NiriDialect : public LineDialect {
 public:
  std::string_view compositor() const noexcept override { return "niri"; }
  std::string_view driver() const noexcept override { return "niri"; }
  std::string request(IpcQuestion question) const override;
  std::string change(const OutputCommand& command, const KnownOutput& before) const override;
  Result<std::string> parse_version(std::string_view payload) const override;
  Result<std::vector<KnownOutput>> parse_outputs(std::string_view payload) const override;
  // It tells none; see has_inputs().
  Result<std::vector<msg::InputDevice>> parse_inputs(std::string_view payload) const override;
  Result<std::string> parse_refusal(std::string_view payload) const override;

  bool has_inputs() const noexcept override { return false; }
  std::string obstacle(OutputMethod method) const override;

  bool reply_is_line() const noexcept override { return true; }
  std::string events_request() const override { return "\"EventStream\"\n"; }
  Result<IpcSession::Changes> parse_event(std::string_view line) const override;

  // LoadConfigFile came with 25.08. Source: niri's pull request 2163 of August 2025; 25.05 was of May, 25.08 of the 30th of August.
  std::string reload_obstacle(std::string_view version) const override;
  std::string reload_request() const override { return "{\"Action\":{\"LoadConfigFile\":{}}}\n"; }
  Result<std::string> parse_reload_refusal(std::string_view payload) const override;
  // "You will always receive this event when connecting to the event stream": whether a version has ConfigLoaded needs no number.
  // Source: niri-ipc's documentation of Event::ConfigLoaded.
  bool begins_with_reload() const override { return true; }
};

}  // namespace compositord::agent::niri
