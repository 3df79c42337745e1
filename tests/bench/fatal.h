#pragma once
// The end of a benchmark that can't go on: what it depends on did not come up, or broke. There is nothing to measure then.

#include <string_view>

namespace compositord::bench {

// Prints one line on standard error and exits with status 2.
[[noreturn]] void fatal(std::string_view text);

}  // namespace compositord::bench
