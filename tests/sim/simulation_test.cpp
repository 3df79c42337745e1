// Buses in virtual time, from seeds. README.md says how to make more of them than the suite does.
//
// A failure prints its seed; `--first-seed=N --seeds=1` runs that one again, the same in every step.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "tests/sim/simulation.h"

namespace compositord::sim {
namespace {

struct Options {
  std::uint64_t seeds = SIM_SEEDS;
  std::uint64_t first_seed = 1;
  std::uint64_t agents = SIM_AGENTS;
  std::uint64_t minutes = SIM_MINUTES;
};
Options options;  // written once, in main()

constexpr std::uint64_t kGroups = 20;  // so that ctest can run them side by side
constexpr std::size_t kManyAgents = 500;

// A bus under faults. A long run has quick agents (half a second from heartbeat to heartbeat) with one seed in ten; the others
// say less often that they are there, and a large site has fewer faults per agent: so that hours and thousands can be afforded.
SimulationConfig site(std::uint64_t seed, std::size_t agents, std::uint64_t minutes) {
  using std::chrono::seconds;
  SimulationConfig config;
  config.seed = seed;
  config.agents = agents;
  config.length = std::chrono::minutes(minutes);
  if (agents >= kManyAgents) {
    config.heartbeats = {seconds(20), seconds(30), seconds(60)};
    config.probe_interval = seconds(20);
    config.status_refresh = seconds(60);
    config.fault_pause_max = seconds(60);
  } else if (minutes > 10 && seed % 10 != 0) {
    config.heartbeats = {seconds(2), seconds(5), seconds(10)};
    config.probe_interval = seconds(5);
    config.status_refresh = seconds(20);
  }
  return config;
}

std::string story(const Simulation& simulation, std::uint64_t seed) {
  return simulation.failures().story() + "seed " + std::to_string(seed);
}

// What happened in some runs. A run in which nothing happened would prove nothing.
struct Sum {
  std::map<int, std::uint64_t> ends;
  std::uint64_t events = 0;
  std::uint64_t promises = 0;
  std::uint64_t alerts = 0;
  std::uint64_t repeated = 0;
  std::uint64_t jobs = 0;

  void add(const Simulation& simulation) {
    for (const auto& entry : simulation.ends()) ends[entry.first] += entry.second;
    events += simulation.events();
    promises += simulation.promises_kept();
    alerts += simulation.alerts();
    repeated += simulation.ledger().repeated();
    jobs += simulation.ledger().jobs_ended();
  }
  void print() const {
    std::string text =
        fmt::format("{} events, {} promises kept, {} alerts, {} repeated calls, {} jobs; calls ended:", events,
                    promises, alerts, repeated, jobs);
    for (const auto& entry : ends) text += fmt::format(" {}: {}", entry.first, entry.second);
    std::puts(text.c_str());
  }
  void expect_variety() const {
    EXPECT_GT(promises, 100U);
    EXPECT_GT(alerts, 100U);
    EXPECT_GT(repeated, 100U);
    EXPECT_GT(jobs, 100U);
    for (const int status : {0, 200, 202, 207, 404, 410, 501, 503, 504}) {
      EXPECT_TRUE(ends.contains(status)) << "no call ended with " << status;
    }
  }
};

class Seeds : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(Seeds, HoldTheirPropertiesUnderFaults) {
  Sum sum;
  std::uint64_t runs = 0;
  for (std::uint64_t i = GetParam(); i < options.seeds; i += kGroups) {
    const std::uint64_t seed = options.first_seed + i;
    Simulation simulation(site(seed, options.agents, options.minutes));
    simulation.run();
    ASSERT_TRUE(simulation.failures().all().empty()) << story(simulation, seed);
    sum.add(simulation);
    ++runs;
  }
  sum.print();
  if (options.agents < kManyAgents && runs * options.agents * options.minutes >= 10'000) sum.expect_variety();
}

TEST(Simulation, HoldsItsPropertiesWithManyAgentsForALongTime) {
  const std::uint64_t seed = options.first_seed + 1'000'000;
  Simulation simulation(site(seed, SIM_LONG_AGENTS, SIM_LONG_MINUTES));
  simulation.run();
  EXPECT_TRUE(simulation.failures().all().empty()) << story(simulation, seed);
  Sum sum;
  sum.add(simulation);
  sum.print();
}

INSTANTIATE_TEST_SUITE_P(Simulation, Seeds, ::testing::Range(std::uint64_t{0}, kGroups));

TEST(Simulation, SaysTheSameTwiceForOneSeed) {
  for (const std::uint64_t seed : {11U, 12U}) {
    Simulation first(site(seed, 10, 3));
    Simulation second(site(seed, 10, 3));
    first.run();
    second.run();
    EXPECT_EQ(first.digest(), second.digest()) << "seed " << seed;
    EXPECT_EQ(first.events(), second.events());
  }
  Simulation one(site(21, 10, 3));
  Simulation other(site(22, 10, 3));
  one.run();
  other.run();
  EXPECT_NE(one.digest(), other.digest());
}

// A day of agents whose loops are late all the time, up to twice their heartbeat interval, beside a broker that stalls, too.
TEST(Simulation, LosesNobodyToStallingLoopsInADay) {
  SimulationConfig config = site(41, 10, SIM_STALLING_MINUTES);
  config.heartbeats = {std::chrono::seconds(1), std::chrono::seconds(2)};
  config.faults = false;
  config.stalls = true;
  Simulation simulation(config);
  simulation.run();
  EXPECT_TRUE(simulation.failures().all().empty()) << story(simulation, 41);
  std::puts(fmt::format("{} events, {} stalls", simulation.events(), simulation.stalls()).c_str());
  EXPECT_GT(simulation.stalls(), config.agents * SIM_STALLING_MINUTES);
}

TEST(Simulation, IsUneventfulWithoutFaults) {
  SimulationConfig config = site(31, 20, 5);
  config.faults = false;
  Simulation simulation(config);
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
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool known = take(argument, "--seeds=", options.seeds) || take(argument, "--agents=", options.agents) ||
                       take(argument, "--hours=", hours) || take(argument, "--first-seed=", options.first_seed);
    if (!known) {
      std::fprintf(stderr, "unknown: %s (--seeds=N --first-seed=N --agents=N --hours=N)\n", argv[i]);
      return 2;
    }
  }
  if (hours > 0) options.minutes = hours * 60;
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace compositord::sim

int main(int argc, char** argv) { return compositord::sim::run_tests(argc, argv); }
