#pragma once
// What people write behind `run ID COMMAND`, as the command's parameters.

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::ctl {

// Words may be mixed; a key may be given once:
//   {"output":"DP-1","scale":2}   a JSON object
//   scale=2  name=lobby           a key and a value, JSON where it can be read as such, else a string
//   DP-1                          with a command output.…: the output's name, then its value
//        output.mode 1280x720, 1280x720@60, 1280x720@59.951Hz · output.scale 1.5 · output.position 100,200
//        output.transform normal, 90, 180, 270, flipped, flipped-90, …
//   1280x720 100,200 scale=2      with output.add: what the new output shall be
//   LANG=de_DE xterm -e top       with launch: its environment, then the program and its arguments as they are
// Errors: kMalformed, a sentence.
Result<msg::Value> parse_run_arguments(const std::string& command, const std::vector<std::string>& words);

}  // namespace compositord::ctl
