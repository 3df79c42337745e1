#include "broker/notify/backoff.h"

#include <algorithm>

namespace compositord::broker {

Duration backoff(int attempts, Duration first, std::uint64_t random) noexcept {
  Duration whole = std::min(first, kBackoffMax);
  for (int i = 1; i < attempts && whole < kBackoffMax; ++i) whole = std::min(2 * whole, kBackoffMax);
  const auto half = static_cast<std::uint64_t>(whole.count() / 2);
  return Duration(static_cast<std::int64_t>(half + random % (half + 1)));
}

}  // namespace compositord::broker
