#pragma once
// What a compositor's round trips usually take, and whether they take much longer now. Judged against its own past, because
// what is usual differs: 0.1 ms for a small Wayland compositor, 16 ms for one that paints, more on a slow machine. Pure.
//
//   state | becomes | when
//   ------|---------|----------------------------------------------------------------------------------------------
//   well  | slow    | kStreak round trips in a row took longer than slow_beyond()
//   slow  | well    | kCalm in a row took no longer than well_within(), which is less: one that is at the limit doesn't flap
//
// Of times in which it is slow nothing is learned, or it would be called well again without being so; what it did before is
// forgotten with its process. One that stays slow stays slow.

#include <chrono>
#include <cstddef>
#include <vector>

#include "common/base/instant.h"

namespace compositord::agent {

class UsualRoundTrip {
 public:
  static constexpr std::size_t kMemory = 300;  // round trips: five minutes of them at the usual interval
  static constexpr std::size_t kEnough = 30;   // before that many only the fixed limit counts
  static constexpr std::size_t kStreak = 5;    // longer than a page fault storm or a mode switch takes
  static constexpr std::size_t kCalm = 3;
  static constexpr int kFactor = 8;       // of the median
  static constexpr int kNoiseFactor = 3;  // of the 95th percentile: one that often takes long is noisy, not slow
  // Shorter round trips are nobody's complaint: three frames at 60 Hz.
  static constexpr Duration kFloor = std::chrono::milliseconds(50);

  // `limit`: a round trip longer than that is slow whatever is usual.
  explicit UsualRoundTrip(Duration limit) : limit_(limit) { forget(); }

  // A new process.
  void forget();
  // Takes an answered probe's round trip; whether slow() changed.
  bool answered(Duration round_trip);

  bool slow() const noexcept { return slow_; }
  // The median; zero before anything was learned.
  Duration usual() const noexcept { return usual_; }
  Duration slow_beyond() const noexcept { return slow_beyond_; }
  Duration well_within() const noexcept { return well_within_; }

 private:
  void learn(Duration round_trip);
  void set_limits();

  Duration limit_;
  std::vector<Duration> past_;       // at most kMemory, a ring once it is full
  std::size_t oldest_ = 0;           // in past_, when it is full
  std::vector<Duration> long_ones_;  // the present streak: learned only if it ends before it makes a slow compositor
  std::size_t calm_ = 0;             // round trips in a row that are well, while slow
  bool slow_ = false;
  Duration usual_{};
  Duration slow_beyond_{};
  Duration well_within_{};
};

}  // namespace compositord::agent
