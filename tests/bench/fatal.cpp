#include "tests/bench/fatal.h"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

namespace compositord::bench {

void fatal(std::string_view text) {
  std::fflush(stdout);
  fmt::print(stderr, "benchmark: {}\n", text);
  std::_Exit(2);  // not exit(): a blocked socket of another thread must not hold up the bad news
}

}  // namespace compositord::bench
