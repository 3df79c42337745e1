#pragma once
// Order statistics of measured values.

#include <vector>

namespace compositord::bench {

// The value that `share` (0 … 1) of all values are not above; 0 of none.
double percentile(std::vector<double> values, double share);
double median(std::vector<double> values);

}  // namespace compositord::bench
