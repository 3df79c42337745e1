#pragma once
// The steps of a replay as text, every message decoded.

#include <string>

#include "broker/trace/replay.h"
#include "tools/compositorctl/dump_text.h"

namespace compositord::replay {

// What goes in: "#17 +1.234567 s received" and a line or more for all that is in it.
std::string input_text(const broker::NextStep& step, Duration since_start, UnixMs unix_at, ctl::Dump& dump);
// What came out, a line or more for each output; nothing when nothing came.
std::string outputs_text(const broker::ReplayedStep& step, UnixMs unix_at, ctl::Dump& dump);

}  // namespace compositord::replay
