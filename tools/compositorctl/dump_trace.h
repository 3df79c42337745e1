#pragma once
// The messages of a trace that compositord --trace has written. What the broker sent is not in the file: its core is run again.

#include <functional>
#include <string>

#include "tools/compositorctl/console.h"
#include "tools/compositorctl/dump_text.h"
#include "tools/compositorctl/exit_code.h"

namespace compositord::ctl {

// Shows each message until there is none, on_message says false, or `stop_fd` is readable. Failures: kLocal for a file that
// can't be read, or is damaged; what stands before the damage was shown.
Outcome<void> dump_trace(const std::string& file, Console& console, int stop_fd,
                         const std::function<Outcome<bool>(const SeenMessage&)>& on_message);

}  // namespace compositord::ctl
