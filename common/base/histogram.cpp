#include "common/base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace compositord {

namespace {

constexpr std::int64_t kNsPerUs = 1'000;

}  // namespace

std::size_t Histogram::bucket_of(std::uint64_t us) noexcept {
  constexpr std::uint64_t kPerOctave = std::uint64_t{1} << kBitsPerOctave;
  if (us < kPerOctave) return static_cast<std::size_t>(us);
  // The position of the highest bit, and the three bits below it.
  const auto octave = static_cast<std::size_t>(std::bit_width(us)) - kBitsPerOctave;
  const auto within = static_cast<std::size_t>((us >> (octave - 1)) & (kPerOctave - 1));
  return std::min((octave << kBitsPerOctave) + within, kBuckets - 1);
}

std::uint64_t Histogram::upper_end_us(std::size_t bucket) noexcept {
  constexpr std::uint64_t kPerOctave = std::uint64_t{1} << kBitsPerOctave;
  if (bucket < kPerOctave) return bucket;
  const std::size_t octave = bucket >> kBitsPerOctave;
  const std::uint64_t within = bucket & (kPerOctave - 1);
  return ((kPerOctave + within + 1) << (octave - 1)) - 1;
}

void Histogram::add(Duration duration) noexcept {
  const Duration d = std::max(duration, Duration{});
  ++buckets_[bucket_of(static_cast<std::uint64_t>(d.count() / kNsPerUs))];
  ++count_;
  max_ = std::max(max_, d);
}

Duration Histogram::quantile(double q) const noexcept {
  if (count_ == 0) return {};
  const auto wanted = static_cast<std::uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen < std::max<std::uint64_t>(wanted, 1)) continue;
    // All that lies in a bucket is shorter than the beginning of the next one.
    return std::min(max_, Duration{static_cast<std::int64_t>(upper_end_us(i) + 1) * kNsPerUs - 1});
  }
  return max_;
}

}  // namespace compositord
