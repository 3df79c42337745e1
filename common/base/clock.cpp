#include "common/base/clock.h"

#include <ctime>

namespace compositord {

Instant monotonic_now() noexcept {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return Instant::from_ns(static_cast<std::int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec);
}

UnixMs unix_now() noexcept {
  timespec ts{};
  clock_gettime(CLOCK_REALTIME, &ts);
  return UnixMs{static_cast<std::int64_t>(ts.tv_sec) * 1'000 + ts.tv_nsec / 1'000'000};
}

}  // namespace compositord
