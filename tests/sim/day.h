#pragma once
// A bus in virtual time at whose places something happens now and then, long enough to be seen. What happens, and what must be told
// of it, is the heirs' matter; run() ends with the list of what was wrong.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"
#include "common/msg/alert.h"
#include "tests/sim/digest.h"
#include "tests/sim/failures.h"
#include "tests/sim/feed_watch.h"
#include "tests/sim/lasting_faults.h"
#include "tests/sim/ledger.h"
#include "tests/sim/sim_agent.h"
#include "tests/sim/sim_broker.h"

namespace compositord::sim {

struct DayConfig {
  std::uint64_t seed = 1;
  std::size_t agents = 100;
  Duration length = std::chrono::hours(24);
};

class Day {
 public:
  Day(const Day&) = delete;
  Day& operator=(const Day&) = delete;
  virtual ~Day() = default;
  void run();
  const Failures& failures() const noexcept { return failures_; }

 protected:
  struct Place {
    std::unique_ptr<SimAgent> agent;
    std::string site;
    Instant free_at;  // nothing happens to it before, so that each fault is over for all when the next one begins
  };
  struct Shape {
    std::size_t agents_per_site;
    std::span<const Duration> heartbeats;  // of the agents, in turns
    Duration last;                         // at the end of the day nothing begins for so long
  };
  // An agent is missed by so long after a fault's beginning, and seen by so long after its end.
  static constexpr Duration kSeenWithin = std::chrono::seconds(200);
  static constexpr Duration kOverWithin = std::chrono::seconds(100);
  static constexpr Duration kRest = std::chrono::seconds(150);  // from the end of a fault to the next one there

  Day(const DayConfig& config, const Shape& shape);
  // Begins it, and ends it.
  void begin(SimAgent& agent, const LastingFault& fault, Duration lasts);
  // For the story of a failure.
  void note(std::string_view id, std::string_view what, Duration lasts);

  virtual void happen() = 0;
  virtual void take(const msg::Alert& alert) = 0;
  virtual void check_all_over() = 0;

  Random random_;
  EventQueue events_;
  Digest digest_;
  Failures failures_;
  Ledger ledger_;
  FeedWatch feed_;
  SimBroker broker_;
  std::vector<Place> places_;

 private:
  void go_on();
  void published(const wire::Frames& frames);

  Instant end_;
  Instant last_event_at_;
};

}  // namespace compositord::sim
