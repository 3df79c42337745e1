#pragma once
// A bus in virtual time to which one thing at a time happens at each place, long enough to be seen: each fault must be one life of
// one alert, from its beginning to its end, and what is no fault must be none. run() ends with the list of what was wrong.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "tests/sim/day.h"

namespace compositord::sim {

class AlertDay final : public Day {
 public:
  explicit AlertDay(const DayConfig& config);

  // How many faults of each kind were one life of an alert.
  const std::map<std::string, std::uint64_t>& lives() const noexcept { return lives_; }
  // How many things happened that are no faults, by kind.
  const std::map<std::string, std::uint64_t>& harmless() const noexcept { return harmless_; }

 private:
  using Key = std::pair<std::string, std::string>;  // id, about
  struct Fault {
    std::string what;
    Instant end;
    std::string life;  // the alert's id; empty: not told yet
    bool resolved = false;
  };

  void happen() override;
  void take(const msg::Alert& alert) override;
  void check_all_over() override;
  void fault(Place& place);
  void harmless(Place& place);
  void lose_site();
  void restart_broker();
  void set_broker_clock();
  void expect(const std::string& id, const std::string& about, std::string what, Duration lasts);

  std::map<Key, Fault> faults_;  // those that nobody has been told of from beginning to end yet
  std::set<std::string> over_;   // alerts whose end was told
  std::map<std::string, std::uint64_t> lives_;
  std::map<std::string, std::uint64_t> harmless_;
  Instant broker_clock_free_at_;  // it is left alone until then
};

}  // namespace compositord::sim
