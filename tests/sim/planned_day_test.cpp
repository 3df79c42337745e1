// Silences and maintenance windows over a day, with a broker that is often away when they end.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>

#include <fmt/format.h>

#include "tests/sim/planned_day.h"

namespace compositord::sim {
namespace {

class PlannedDaySeeds : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(PlannedDaySeeds, WhatIsWrongIsHiddenByItsWindowAndByNothingElse) {
  DayConfig config;
  config.seed = GetParam();
  config.agents = SIM_PLANNED_AGENTS;
  config.length = std::chrono::minutes(SIM_PLANNED_MINUTES);
  PlannedDay day(config);
  day.run();
  ASSERT_TRUE(day.failures().all().empty()) << day.failures().story() << "seed " << config.seed;
  for (const auto& [what, count] : day.seen()) std::puts(fmt::format("{:>6} {}", count, what).c_str());
  if (SIM_PLANNED_MINUTES >= 12 * 60) {
    EXPECT_EQ(day.seen().size(), 10U) << "of each sort some";
  }
}

INSTANTIATE_TEST_SUITE_P(Simulation, PlannedDaySeeds, ::testing::Range(std::uint64_t{1}, std::uint64_t{3}));

}  // namespace
}  // namespace compositord::sim
