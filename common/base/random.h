#pragma once
// Seeded random numbers: the same seed gives the same sequence on every machine, so that a simulation's printed seed
// or a recorded trace reproduces a run. Not for secrets.

#include <cstdint>

#include "common/base/instant.h"

namespace compositord {

// SplitMix64. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept;
  // Uniform in [0, bound); 0 when bound is 0.
  std::uint64_t below(std::uint64_t bound) noexcept;
  // True with probability numerator / denominator.
  bool chance(std::uint64_t numerator, std::uint64_t denominator) noexcept;
  // Uniform in [low, high].
  Duration between(Duration low, Duration high) noexcept;

 private:
  std::uint64_t state_;
};

}  // namespace compositord
