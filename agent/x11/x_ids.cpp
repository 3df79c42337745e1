#include "agent/x11/x_ids.h"

#include <bit>

namespace compositord::agent::x11 {

// The mask has one run of bits; of another the lowest run counts. The id without any of them is left alone, as XCB does.
XIds::XIds(std::uint32_t base, std::uint32_t mask) noexcept : base_(base) {
  if (mask == 0) return;
  const int shift = std::countr_zero(mask);
  step_ = std::uint32_t{1} << shift;
  const int bits = std::countr_one(mask >> shift);
  fresh_ = static_cast<std::uint32_t>((std::uint64_t{1} << bits) - 1);
}

std::optional<std::uint32_t> XIds::take() {
  if (fresh_ == 0 || resting_.size() > kRestingMax) {
    if (resting_.empty()) return std::nullopt;
    const std::uint32_t id = resting_.front();
    resting_.pop_front();
    return id;
  }
  --fresh_;
  last_ += step_;
  return base_ | last_;
}

void XIds::give_back(std::uint32_t id) { resting_.push_back(id); }

}  // namespace compositord::agent::x11
