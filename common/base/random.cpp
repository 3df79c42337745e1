#include "common/base/random.h"

namespace compositord {

std::uint64_t Random::next() noexcept {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

std::uint64_t Random::below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }

bool Random::chance(std::uint64_t numerator, std::uint64_t denominator) noexcept {
  return below(denominator) < numerator;
}

Duration Random::between(Duration low, Duration high) noexcept {
  if (high <= low) return low;
  const auto span = static_cast<std::uint64_t>((high - low).count()) + 1;
  return low + Duration{static_cast<std::int64_t>(below(span))};
}

}  // namespace compositord
