#pragma once
// Virtual time: what happens when. Events of one instant happen in the order in which they were asked for.

#include <cstdint>
#include <functional>
#include <vector>

#include "common/base/instant.h"

namespace compositord::sim {

class EventQueue {
 public:
  Instant now() const noexcept { return now_; }
  void at(Instant when, std::function<void()> what);
  void after(Duration delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }
  // Lets everything happen until `end`, and makes that the time. Stops early once `stop` is true.
  void run_until(Instant end, const bool& stop);
  std::uint64_t happened() const noexcept { return happened_; }

 private:
  struct Event {
    Instant when;
    std::uint64_t order = 0;
    std::function<void()> what;
  };
  static bool later(const Event& a, const Event& b);

  std::vector<Event> heap_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::uint64_t asked_ = 0;
  std::uint64_t happened_ = 0;
};

}  // namespace compositord::sim
