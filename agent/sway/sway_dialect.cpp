#include "agent/sway/sway_dialect.h"

#include "agent/sway/ipc_line.h"
#include "agent/sway/ipc_model.h"

namespace compositord::agent::sway {

std::string SwayDialect::change(const OutputCommand& command, const KnownOutput&) const { return to_ipc_line(command); }

Result<std::string> SwayDialect::parse_version(std::string_view payload) const { return sway::parse_version(payload); }

Result<std::vector<KnownOutput>> SwayDialect::parse_outputs(std::string_view payload) const {
  return sway::parse_outputs(payload);
}

Result<std::vector<msg::InputDevice>> SwayDialect::parse_inputs(std::string_view payload) const {
  return sway::parse_inputs(payload);
}

Result<std::string> SwayDialect::parse_refusal(std::string_view payload) const { return parse_command_errors(payload); }

}  // namespace compositord::agent::sway
