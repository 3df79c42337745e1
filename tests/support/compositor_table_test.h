#pragma once
// A broker's table of compositors with its alerts and its feed, in virtual time: the base of tests that report to it and look at
// what it tells.

#include <vector>

#include <gtest/gtest.h>

#include "broker/core/compositor_table.h"

namespace compositord::broker {

class CompositorTableTest : public testing::Test {
 protected:
  explicit CompositorTableTest(Instant start) : now_(start) {}

  UnixMs calendar() const { return UnixMs{1'700'000'000'000 + now_.ns() / 1'000'000}; }
  Now now() const { return Now{now_, calendar()}; }
  std::vector<msg::Alert> firing() const {
    std::vector<msg::Alert> alerts;
    for (const auto& [id, key] : engine_.active()) alerts.push_back(engine_.find(id)->alert);
    return alerts;
  }

  Instant now_;
  BrokerConfig config_;
  Counters counters_;
  TimerQueue timers_;
  CommitIds ids_;
  Feed feed_{7, config_.limits, counters_};
  AlertEngine engine_{config_.alerts, feed_, timers_, ids_, counters_, 7};
  CompositorTable table_{config_, feed_, engine_, ids_};
  Outputs out_;
};

}  // namespace compositord::broker
