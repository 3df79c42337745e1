#include "agent/core/percentile.h"

#include <algorithm>

namespace compositord::agent {

Duration percentile(std::vector<Duration>& values, std::size_t p) {
  const std::size_t rank = (values.size() * p + 99) / 100;
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

}  // namespace compositord::agent
