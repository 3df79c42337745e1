#pragma once
// How long things take, in little memory: counts in buckets that are at most an eighth wide, from a microsecond to hours.
// Source: the log-linear buckets of HdrHistogram (hdrhistogram.org).

#include <array>
#include <cstdint>

#include "common/base/instant.h"

namespace compositord {

class Histogram {
 public:
  void add(Duration duration) noexcept;  // a negative one counts as zero
  std::uint64_t count() const noexcept { return count_; }
  Duration max() const noexcept { return max_; }
  // What at least the share `q` (0 … 1) of all were not longer than: the upper end of a bucket, never above max(). Zero when
  // there are none.
  Duration quantile(double q) const noexcept;
  void clear() noexcept { *this = Histogram(); }

 private:
  static constexpr std::size_t kBitsPerOctave = 3;
  static constexpr std::size_t kOctaves = 34;  // 2^34 us are four hours and three quarters
  static constexpr std::size_t kBuckets = kOctaves << kBitsPerOctave;
  static std::size_t bucket_of(std::uint64_t us) noexcept;
  static std::uint64_t upper_end_us(std::size_t bucket) noexcept;

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  Duration max_{};
};

}  // namespace compositord
