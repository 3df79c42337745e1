#include "broker/core/clock_skews.h"

#include "common/base/check.h"

namespace compositord::broker {

void ClockSkews::add(std::int64_t unix_ms_at_origin) {
  Grain& grain = grains_[unix_ms_at_origin / kGrainMs];
  ++grain.agents;
  grain.last = unix_ms_at_origin;
  ++agents_;
}

void ClockSkews::remove(std::int64_t unix_ms_at_origin) {
  const auto grain = grains_.find(unix_ms_at_origin / kGrainMs);
  CHECK(grain != grains_.end());
  if (--grain->second.agents == 0) grains_.erase(grain);
  --agents_;
}

ClockSkews::Middle ClockSkews::middle(std::int64_t broker_unix_ms_at_origin, std::int64_t skew_max_ms) const {
  CHECK(agents_ > 0);
  // What more than half of them share stands in the middle of the row.
  auto grain = grains_.begin();
  for (std::size_t counted = grain->second.agents; counted * 2 < agents_; counted += grain->second.agents) ++grain;
  Middle middle{grain->second.last - broker_unix_ms_at_origin, 0};
  const std::int64_t apart_max = skew_max_ms / kGrainMs;
  const std::int64_t last = grain->first + apart_max;
  for (grain = grains_.lower_bound(grain->first - apart_max); grain != grains_.end() && grain->first <= last; ++grain) {
    middle.agents += grain->second.agents;
  }
  return middle;
}

}  // namespace compositord::broker
