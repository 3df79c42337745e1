#pragma once
// The nearest-rank percentile of durations.

#include <cstddef>
#include <vector>

#include "common/base/instant.h"

namespace compositord::agent {

// What at least `p` per cent of the values (at least one) were not longer than; p: 0 … 100. Reorders them.
Duration percentile(std::vector<Duration>& values, std::size_t p);

}  // namespace compositord::agent
