#include "tests/bench/percentiles.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace compositord::bench {

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  // Nearest rank: a value that was measured, not one between two.
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::clamp<std::size_t>(rank, 1, values.size()) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

}  // namespace compositord::bench
