#include "agent/core/usual_round_trip.h"

#include <algorithm>

#include "agent/core/percentile.h"

namespace compositord::agent {

void UsualRoundTrip::forget() {
  past_.clear();
  oldest_ = 0;
  long_ones_.clear();
  calm_ = 0;
  slow_ = false;
  set_limits();
}

bool UsualRoundTrip::answered(Duration round_trip) {
  if (slow_) {
    calm_ = round_trip <= well_within_ ? calm_ + 1 : 0;
    if (calm_ < kCalm) return false;
    slow_ = false;
    return true;
  }
  if (round_trip > slow_beyond_) {
    long_ones_.push_back(round_trip);
    if (long_ones_.size() < kStreak) return false;
    slow_ = true;
    calm_ = 0;
    long_ones_.clear();
    return true;
  }
  for (const Duration long_one : long_ones_) learn(long_one);
  long_ones_.clear();
  learn(round_trip);
  set_limits();
  return false;
}

void UsualRoundTrip::learn(Duration round_trip) {
  if (round_trip > limit_) return;  // it was slow, or frozen, by itself
  if (past_.size() < kMemory) {
    past_.push_back(round_trip);
    return;
  }
  past_[oldest_] = round_trip;
  oldest_ = (oldest_ + 1) % kMemory;
}

void UsualRoundTrip::set_limits() {
  std::vector<Duration> sorted = past_;
  usual_ = sorted.empty() ? Duration{} : percentile(sorted, 50);
  slow_beyond_ = well_within_ = limit_;
  if (past_.size() < kEnough) return;
  const Duration often = percentile(sorted, 95);
  slow_beyond_ = std::min(limit_, std::max({kFloor, kFactor * usual_, kNoiseFactor * often}));
  well_within_ = std::min(slow_beyond_, std::max(slow_beyond_ / 2, often + often / 2));
}

}  // namespace compositord::agent
