#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace compositord {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s (a bug in compositord, please report it)\n", file, line, condition);
  std::abort();
}

}  // namespace compositord
