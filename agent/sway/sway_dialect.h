#pragma once
// sway's words for IpcDriver. Source: sway-ipc(7), sway-output(5).

#include "agent/ipc/ipc_dialect.h"

namespace compositord::agent::sway {

class SwayDialect : public IpcDialect {
 public:
  std::string_view compositor() const noexcept override { return "sway"; }
  std::string_view driver() const noexcept override { return "sway"; }
  // The type of the message says it all; see SwaySession.
  std::string request(IpcQuestion) const override { return {}; }
  std::string change(const OutputCommand& command, const KnownOutput& before) const override;
  std::string create_output() const override { return "create_output"; }
  Result<std::string> parse_version(std::string_view payload) const override;
  Result<std::vector<KnownOutput>> parse_outputs(std::string_view payload) const override;
  Result<std::vector<msg::InputDevice>> parse_inputs(std::string_view payload) const override;
  Result<std::string> parse_refusal(std::string_view payload) const override;
};

}  // namespace compositord::agent::sway
