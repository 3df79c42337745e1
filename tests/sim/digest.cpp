#include "tests/sim/digest.h"

namespace compositord::sim {

// FNV-1a. Source: Fowler, Noll, Vo; draft-eastlake-fnv.
void Digest::add(std::string_view bytes) noexcept {
  constexpr std::uint64_t kPrime = 0x100000001b3U;
  for (const char c : bytes) value_ = (value_ ^ static_cast<unsigned char>(c)) * kPrime;
  value_ = (value_ ^ bytes.size()) * kPrime;
}

void Digest::add(Instant at) noexcept {
  const std::int64_t ns = at.ns();
  add(std::string_view(reinterpret_cast<const char*>(&ns), sizeof ns));
}

void Digest::add(const wire::Frames& frames) noexcept {
  for (const wire::Frame& frame : frames) add(frame);
}

}  // namespace compositord::sim
