// One alert life for each fault, and none for what is no fault: over a day of hundreds of agents.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>

#include <fmt/format.h>

#include "tests/sim/alert_day.h"

namespace compositord::sim {
namespace {

class AlertDaySeeds : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(AlertDaySeeds, EachFaultIsOneAlertFromItsBeginningToItsEnd) {
  DayConfig config;
  config.seed = GetParam();
  config.agents = SIM_ALERT_AGENTS;
  config.length = std::chrono::minutes(SIM_ALERT_MINUTES);
  AlertDay day(config);
  day.run();
  ASSERT_TRUE(day.failures().all().empty()) << day.failures().story() << "seed " << config.seed;
  std::uint64_t faults = 0;
  for (const auto& [what, count] : day.lives()) {
    std::puts(fmt::format("{:>6} {}: one alert each", count, what).c_str());
    faults += count;
  }
  for (const auto& [what, count] : day.harmless()) std::puts(fmt::format("{:>6} {}: none", count, what).c_str());
  EXPECT_GT(faults, static_cast<std::uint64_t>(SIM_ALERT_MINUTES));
  if (SIM_ALERT_MINUTES >= 24 * 60) {
    EXPECT_EQ(day.lives().size(), 14U) << "of each kind some";
    EXPECT_EQ(day.harmless().size(), 6U) << "of each kind some";
  }
}

INSTANTIATE_TEST_SUITE_P(Simulation, AlertDaySeeds, ::testing::Range(std::uint64_t{1}, std::uint64_t{4}));

}  // namespace
}  // namespace compositord::sim
