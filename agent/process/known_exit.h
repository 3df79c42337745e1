#pragma once
// How some compositors end when they are merely asked to: not with code 0, which makes a wanted end look like a crash.

#include <string>
#include <string_view>

#include "agent/driver_event.h"

namespace compositord::agent {

// Whether a compositor of this name ends like this when it gets SIGTERM. It proves nothing by itself: the same signal may
// come from a real fault. Who asked for the end may take it for the answer.
bool is_known_exit(std::string_view compositor, const ProcessEnd& end) noexcept;

// describe_end(), and what is known of such an end: "killed by signal 6 (SIGABRT), as cage ends when it is asked to".
std::string describe_end_of(std::string_view compositor, const ProcessEnd& end);

}  // namespace compositord::agent
