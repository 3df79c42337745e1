#include "broker/core/memory_growth.h"

#include <algorithm>

#include <fmt/format.h>

namespace compositord::broker {

namespace {

std::size_t index_of(std::int64_t slot) { return static_cast<std::size_t>(slot) % MemoryGrowth::kSlots; }

// 1.5 times; the numbers are a peer's, and may be as large as numbers are.
bool is_half_more(std::uint64_t more, std::uint64_t than) { return more >= than && more - than >= than / 2; }

bool is_steady(const std::array<std::uint64_t, 4>& quarters) {
  if (quarters.back() <= quarters.front()) return false;
  const std::uint64_t step = (quarters.back() - quarters.front()) / 8;
  for (std::size_t i = 1; i < quarters.size(); ++i) {
    if (quarters.at(i) <= quarters.at(i - 1) || quarters.at(i) - quarters.at(i - 1) < step) return false;
  }
  return quarters.back() - quarters.front() >= MemoryGrowth::kBytesMin &&
         is_half_more(quarters.back(), quarters.front());
}

}  // namespace

std::string growth_text(const Growth& growth) {
  return fmt::format("the compositor's memory grows: from {} MiB to {} MiB in {:g} h", growth.from_bytes >> 20U,
                     growth.to_bytes >> 20U, std::chrono::duration<double, std::ratio<3'600>>(growth.span).count());
}

std::string resident_text(std::uint64_t rss_bytes) {
  return fmt::format("{} MiB are resident now; the others are the least of their time, so that a cache is not meant",
                     rss_bytes >> 20U);
}

void MemoryGrowth::seen(std::uint64_t rss_bytes, Instant now) {
  if (rss_bytes == 0) return;
  begin_slot(now.ns() / kSlot.count());
  std::uint64_t& least = least_.at(index_of(slot_));
  least = least == 0 ? rss_bytes : std::min(least, rss_bytes);
  if (!growth_) return;
  const std::uint64_t half = growth_->from_bytes + (growth_->to_bytes - growth_->from_bytes) / 2;
  if (rss_bytes <= half) growth_.reset();
}

void MemoryGrowth::begin_slot(std::int64_t slot) {
  constexpr auto kCount = static_cast<std::int64_t>(kSlots);
  if (least_.empty()) {
    least_.resize(kSlots);
    slot_ = slot;
  }
  if (slot == slot_) return;
  for (std::int64_t unseen = std::max(slot_ + 1, slot - kCount); unseen < slot; ++unseen) {
    least_.at(index_of(unseen)) = 0;
  }
  slot_ = slot;
  judge();  // before the new one takes the place of the oldest
  least_.at(index_of(slot)) = 0;
}

std::optional<MemoryGrowth::Quarters> MemoryGrowth::quarters_of(std::size_t span) const {
  const std::int64_t first = slot_ - static_cast<std::int64_t>(span);
  if (first < 0 || least_.at(index_of(first)) == 0) return std::nullopt;  // it was not seen for so long
  const std::size_t length = span / 4;
  Quarters quarters{};
  for (std::size_t i = 0; i < span; ++i) {
    const std::uint64_t least = least_.at(index_of(first + static_cast<std::int64_t>(i)));
    std::uint64_t& quarter = quarters.at(i / length);
    if (least != 0) quarter = quarter == 0 ? least : std::min(quarter, least);
  }
  if (std::find(quarters.begin(), quarters.end(), 0U) != quarters.end()) return std::nullopt;
  return quarters;
}

void MemoryGrowth::judge() {
  judged_ = quarters_of(kSpans.front()).has_value();
  for (const std::size_t span : kSpans) {
    const std::optional<Quarters> quarters = quarters_of(span);
    if (!quarters || !is_steady(*quarters)) continue;
    if (growth_ && !is_half_more(quarters->back(), growth_->to_bytes)) continue;
    if (!growth_) {
      growth_ = Growth{quarters->front(), 0, {}};
      grows_since_ = slot_ - static_cast<std::int64_t>(span);
    }
    growth_->to_bytes = quarters->back();
    growth_->span = kSlot * (slot_ - grows_since_);
    return;
  }
}

}  // namespace compositord::broker
