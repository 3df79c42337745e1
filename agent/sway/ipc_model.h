#pragma once
// What sway's IPC answers mean: JSON into the bus's words. Source: sway-ipc(7).
//
// sway counts transforms clockwise, wl_output and with it the bus counter-clockwise ("90" here is "270" there), so they
// are translated in both directions and mean the same for every compositor on the bus.

#include <string>
#include <string_view>
#include <vector>

#include "agent/output/output_command.h"
#include "common/base/result.h"
#include "common/msg/manifest.h"

namespace compositord::agent::sway {

// Each takes the payload of a reply. Errors: kMalformed or kTooLarge, as decode_json() or with the field that is missing.
Result<std::string> parse_version(std::string_view payload);  // "1.7"
// Of the same reply: the path of the configuration, as sway was given it; empty when it doesn't tell.
std::string parse_config_file(std::string_view payload);
Result<std::vector<KnownOutput>> parse_outputs(std::string_view payload);
Result<std::vector<msg::InputDevice>> parse_inputs(std::string_view payload);
// Empty when every command of the line succeeded, else sway's own words.
Result<std::string> parse_command_errors(std::string_view payload);

msg::Transform turn_around(msg::Transform transform) noexcept;

}  // namespace compositord::agent::sway
