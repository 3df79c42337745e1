#pragma once
// Whether a compositor's memory only ever grows, as one that leaks does. Judged by minima, since caches breathe: the least that
// was resident in each quarter of the last 2, 6 and 24 hours. Bounded, pure.
//
//   growth | becomes | when
//   -------|---------|-----------------------------------------------------------------------------------------
//   none   | some    | of one of these spans every quarter's least was more than that of the quarter before, and the last is
//          |         | 1.5 times and 256 MiB above the first
//   some   | some    | … and 1.5 times what was told: it goes on, and `to_bytes` with it
//   some   | none    | half of what had been added is given back; or forget()
//
// A single step is no growth: every quarter must add an eighth of the whole. What stays large is no better than what grows, so
// growth that has come to rest stays until the memory is given back. What leaks less than 256 MiB a day is not found.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.h"

namespace compositord::broker {

struct Growth {
  std::uint64_t from_bytes = 0;
  std::uint64_t to_bytes = 0;
  Duration span{};  // from the one to the other
};

// "the compositor's memory grows: from 180 MiB to 512 MiB in 2 h"
std::string growth_text(const Growth& growth);
// What was seen besides.
std::string resident_text(std::uint64_t rss_bytes);

class MemoryGrowth {
 public:
  static constexpr Duration kSlot = std::chrono::minutes(30);
  static constexpr std::size_t kSlots = 48;                       // a day
  static constexpr std::array<std::size_t, 3> kSpans{4, 12, 48};  // in slots, each of them four quarters
  static constexpr std::uint64_t kBytesMin = std::uint64_t{256}
                                             << 20U;  // more than a large screen's buffers and caches

  // What was resident when a report came; times ascend.
  void seen(std::uint64_t rss_bytes, Instant now);
  // It is another process.
  void forget() { *this = MemoryGrowth(); }

  const std::optional<Growth>& growth() const noexcept { return growth_; }
  // Whether enough was seen to say that there is none.
  bool is_calm() const noexcept { return judged_ && !growth_; }

 private:
  using Quarters = std::array<std::uint64_t, 4>;
  void begin_slot(std::int64_t slot);
  // None when it began later, or a quarter has no report in it.
  std::optional<Quarters> quarters_of(std::size_t span) const;
  void judge();

  std::vector<std::uint64_t> least_;  // of slot n at n % kSlots; 0: nothing was seen. Empty before the first report
  std::int64_t slot_ = 0;             // the one that is not over yet
  std::int64_t grows_since_ = 0;      // the slot with which growth_ began
  std::optional<Growth> growth_;
  bool judged_ = false;
};

}  // namespace compositord::broker
