#pragma once
// How long to wait before the next attempt. Pure.

#include <chrono>
#include <cstdint>

#include "common/base/instant.h"

namespace compositord::broker {

inline constexpr Duration kBackoffMax = std::chrono::minutes(2);

// After the attempt number `attempts` (from 1) failed: `first`, doubled each time up to kBackoffMax, and of that, by `random`, any share from
// a half to the whole: receivers that came back are not met by everybody at once.
Duration backoff(int attempts, Duration first, std::uint64_t random) noexcept;

}  // namespace compositord::broker
