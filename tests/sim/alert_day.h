#pragma once
// A bus in virtual time to which one thing at a time happens at each place, long enough to be seen: each fault must be one life of
// one alert, from its beginning to its end, and what is no fault must be none. run() ends with the list of what was wrong.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "common/msg/alert.h"
#include "tests/sim/digest.h"
#include "tests/sim/failures.h"
#include "tests/sim/feed_watch.h"
#include "tests/sim/ledger.h"
#include "tests/sim/sim_agent.h"
#include "tests/sim/sim_broker.h"

namespace compositord::sim {

struct AlertDayConfig {
  std::uint64_t seed = 1;
  std::size_t agents = 500;
  std::size_t agents_per_site = 25;
  Duration length = std::chrono::hours(24);
  // From one fault to the next, at most.
  Duration fault_pause_max = std::chrono::seconds(40);
};

class AlertDay {
 public:
  explicit AlertDay(const AlertDayConfig& config);
  void run();

  const Failures& failures() const noexcept { return failures_; }
  // How many faults of each kind were one life of an alert.
  const std::map<std::string, std::uint64_t>& lives() const noexcept { return lives_; }
  // How many things happened that are no faults, by kind.
  const std::map<std::string, std::uint64_t>& harmless() const noexcept { return harmless_; }

 private:
  using Key = std::pair<std::string, std::string>;  // id, about
  struct Place {
    std::unique_ptr<SimAgent> agent;
    std::string site;
    Instant free_at;  // nothing happens to it before, so that each fault is over for all when the next one begins
  };
  struct Fault {
    std::string what;
    Instant begin;
    Instant end;
    std::string life;  // the alert's id; empty: not told yet
    bool resolved = false;
  };

  void next_event();
  void fault(Place& place);
  void harmless(Place& place);
  void lose_site();
  void restart_broker();
  void set_broker_clock();
  void expect(const std::string& id, const std::string& about, std::string what, Duration lasts);
  void published(const wire::Frames& frames);
  void take(const msg::Alert& alert);
  void check_all_over();

  AlertDayConfig config_;
  Random random_;
  EventQueue events_;
  Digest digest_;
  Failures failures_;
  Ledger ledger_;
  FeedWatch feed_;
  SimBroker broker_;
  std::vector<Place> places_;
  std::map<Key, Fault> faults_;  // those that nobody has been told of from beginning to end yet
  std::set<std::string> over_;   // alerts whose end was told
  std::map<std::string, std::uint64_t> lives_;
  std::map<std::string, std::uint64_t> harmless_;
  Instant faults_end_;
  Instant broker_clock_free_at_;  // it is left alone until then
};

}  // namespace compositord::sim
