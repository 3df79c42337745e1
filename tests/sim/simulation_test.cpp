// Buses in virtual time, from seeds. The defaults make some seconds of computing; for a night of it:
//
//   test_sim --seeds=100000 --agents=50 --hours=1 --first-seed=1 --gtest_filter='*Faults*'
//
// A failure prints its seed; `--first-seed=N --seeds=1` runs that one again, the same in every step.

#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "tests/sim/simulation.h"

namespace compositord::sim {
namespace {

struct Options {
  std::uint64_t seeds = 100;
  std::uint64_t first_seed = 1;
  std::size_t agents = 20;
  Duration length = std::chrono::minutes(10);
};
Options options;  // written once, in main()

constexpr std::uint64_t kGroups = 10;  // so that ctest can run them side by side

std::string story(const Simulation& simulation, std::uint64_t seed) {
  return simulation.failures().story() + "seed " + std::to_string(seed);
}

class Seeds : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(Seeds, HoldTheirPropertiesUnderFaults) {
  std::map<int, std::uint64_t> ends;
  std::uint64_t events = 0;
  std::uint64_t promises = 0;
  std::uint64_t alerts = 0;
  for (std::uint64_t i = GetParam(); i < options.seeds; i += kGroups) {
    const std::uint64_t seed = options.first_seed + i;
    Simulation simulation({seed, options.agents, 3, options.length, true});
    simulation.run();
    ASSERT_TRUE(simulation.failures().all().empty()) << story(simulation, seed);
    for (const auto& entry : simulation.ends()) ends[entry.first] += entry.second;
    events += simulation.events();
    promises += simulation.promises_kept();
    alerts += simulation.alerts();
  }
  if (options.seeds < 100) return;
  // A run in which nothing happened would prove nothing.
  std::printf("%llu events, %llu promises kept, %llu alerts; calls ended:", static_cast<unsigned long long>(events),
              static_cast<unsigned long long>(promises), static_cast<unsigned long long>(alerts));
  for (const auto& entry : ends) std::printf(" %d: %llu", entry.first, static_cast<unsigned long long>(entry.second));
  std::printf("\n");
  EXPECT_GT(promises, 100U);
  EXPECT_GT(alerts, 100U);
  for (const int status : {0, 200, 404, 410, 501, 503, 504})
    EXPECT_GT(ends[status], 0U) << "no call ended with " << status;
}

INSTANTIATE_TEST_SUITE_P(Simulation, Seeds, ::testing::Range(std::uint64_t{0}, kGroups));

TEST(Simulation, SaysTheSameTwiceForOneSeed) {
  for (const std::uint64_t seed : {11U, 12U}) {
    Simulation first({seed, 10, 3, std::chrono::minutes(3), true});
    Simulation second({seed, 10, 3, std::chrono::minutes(3), true});
    first.run();
    second.run();
    EXPECT_EQ(first.digest(), second.digest()) << "seed " << seed;
    EXPECT_EQ(first.events(), second.events());
  }
  Simulation one({21, 10, 3, std::chrono::minutes(3), true});
  Simulation other({22, 10, 3, std::chrono::minutes(3), true});
  one.run();
  other.run();
  EXPECT_NE(one.digest(), other.digest());
}

TEST(Simulation, IsUneventfulWithoutFaults) {
  Simulation simulation({31, 20, 3, std::chrono::minutes(5), false});
  simulation.run();
  EXPECT_TRUE(simulation.failures().all().empty()) << story(simulation, 31);
  // A call to a slow compositor may end with 504, but nobody is gone or unreachable.
  for (const auto& entry : simulation.ends()) EXPECT_TRUE(entry.first != 0 && entry.first != 410) << entry.first;
}

bool take(std::string_view argument, std::string_view name, std::uint64_t& value) {
  if (!argument.starts_with(name)) return false;
  value = std::strtoull(argument.substr(name.size()).data(), nullptr, 10);
  return true;
}

int run_tests(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  std::uint64_t hours = 0;
  std::uint64_t agents = options.agents;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool known = take(argument, "--seeds=", options.seeds) || take(argument, "--agents=", agents) ||
                       take(argument, "--hours=", hours) || take(argument, "--first-seed=", options.first_seed);
    if (!known) {
      std::fprintf(stderr, "unknown: %s (--seeds=N --first-seed=N --agents=N --hours=N)\n", argv[i]);
      return 2;
    }
  }
  options.agents = agents;
  if (hours > 0) options.length = std::chrono::hours(hours);
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace compositord::sim

int main(int argc, char** argv) { return compositord::sim::run_tests(argc, argv); }
