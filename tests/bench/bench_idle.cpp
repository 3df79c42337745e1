// What agents cost the broker when nothing happens: memory for each, and its time for all of them together. Exit status: 0;
// 1 when an agent was lost, or with --judge when a figure is missed; 2 when nothing could be measured.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tests/bench/child_process.h"
#include "tests/bench/fatal.h"
#include "tests/bench/idle_agents.h"
#include "tests/bench/options.h"
#include "tests/bench/process_usage.h"
#include "tests/support/temp_dir.h"

namespace compositord::bench {
namespace {

// An agent takes two descriptors of its process (its connection and libzmq's mailbox), so they are shared out among
// several processes: 10 000 agents are too many for one under Debian's hard limit of 20 000 in containers.
constexpr std::int64_t kAgentsPerProcess = 2'500;

constexpr double kKibPerAgentWanted = 34;
constexpr double kCorePercentWanted = 20;

struct Usage {
  std::int64_t agents = 0;
  double kib_per_agent = 0;
  double core_percent = 0;
  std::int64_t lost = 0;  // as the agents see it or as the broker counts, whichever is more
  bool reached() const { return kib_per_agent <= kKibPerAgentWanted && core_percent <= kCorePercentWanted; }
};

// A share of the agents, in a process of its own: says `ready` when all are registered, and at the end how they fared.
int run_agents(const Options& options) {
  IdleAgents agents(options.text("--bus"), options.number("--first"), options.number("--agents"));
  agents.enrol();
  fmt::print("ready\n");
  std::fflush(stdout);
  agents.idle(STDIN_FILENO);
  const auto latest_ms = std::chrono::duration_cast<std::chrono::milliseconds>(agents.latest()).count();
  fmt::print(R"({{"lost":{},"latest_ms":{}}})", agents.lost(), latest_ms);
  fmt::print("\n");
  return 0;
}

std::vector<std::unique_ptr<ChildProcess>> start_agents(const std::string& own_path, const std::string& bus,
                                                        std::int64_t agents) {
  std::vector<std::unique_ptr<ChildProcess>> processes;
  for (std::int64_t first = 0; first < agents; first += kAgentsPerProcess) {
    const std::int64_t count = std::min(kAgentsPerProcess, agents - first);
    processes.push_back(std::make_unique<ChildProcess>(std::vector<std::string>{
        own_path, "--generate", "--bus", bus, "--first", std::to_string(first), "--agents", std::to_string(count)}));
  }
  for (const auto& process : processes) process->read_line();  // ready
  return processes;
}

// Lets time pass. None of the agents' processes has anything to say: what comes is the end of one.
void watch(const std::vector<std::unique_ptr<ChildProcess>>& processes, Duration time) {
  std::vector<pollfd> ends;
  for (const auto& process : processes) ends.push_back({process->output_fd(), POLLIN, 0});
  const Instant until = monotonic_now() + time;
  for (Instant now = monotonic_now(); now < until; now = monotonic_now()) {
    const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    if (poll(ends.data(), ends.size(), static_cast<int>(left_ms)) > 0) fatal("a process of agents has ended");
  }
}

// What the agents noticed themselves.
struct Noticed {
  std::int64_t lost = 0;
  std::int64_t latest_ms = 0;  // the latest heartbeat of all
};

Noticed end_agents(const std::vector<std::unique_ptr<ChildProcess>>& processes) {
  Noticed noticed;
  for (const auto& process : processes) process->close_input();
  for (const auto& process : processes) {
    const std::string line = process->read_line();
    noticed.lost += integer_in(line, "lost");
    noticed.latest_ms = std::max<std::int64_t>(noticed.latest_ms, integer_in(line, "latest_ms"));
  }
  return noticed;
}

Usage measure(const Options& options, const std::string& own_path) {
  const test::TempDir state;
  Server broker({options.text("--broker"), "--bus", "tcp://127.0.0.1:*", "--feed", "tcp://127.0.0.1:*", "--state-dir",
                 state.path().string(), "--log-level", "error"});
  const std::string bus = broker.endpoint("bus");
  const pid_t pid = broker.process().pid();
  Usage usage;
  usage.agents = options.number("--agents");
  const std::int64_t kib_before = resident_kib(pid);
  const auto processes = start_agents(own_path, bus, usage.agents);
  watch(processes, std::chrono::milliseconds(options.number("--settle-ms")));

  const double cpu_before = cpu_seconds(pid);
  const Instant start = monotonic_now();
  watch(processes, std::chrono::milliseconds(options.number("--idle-ms")));
  const double seconds = std::chrono::duration<double>(monotonic_now() - start).count();
  usage.core_percent = 100 * (cpu_seconds(pid) - cpu_before) / seconds;
  usage.kib_per_agent = static_cast<double>(resident_kib(pid) - kib_before) / static_cast<double>(usage.agents);

  RawContext context;
  RawSocket client(context, ZMQ_DEALER);
  client.connect(bus);
  const std::string stats = call(client, "bus.admin", "stats", "{}");
  if (integer_in(stats, "status") != 200) fatal(fmt::format("bus.admin stats: {}", stats));
  const std::int64_t counted = integer_in(stats, "agents_lost");
  const std::int64_t missing = usage.agents - integer_in(stats, "workers");
  const Noticed noticed = end_agents(processes);
  usage.lost = std::max({counted, missing, noticed.lost});
  if (usage.lost > 0) {
    fmt::print(
        "lost: {} as the broker counts, {} as it has fewer workers, {} as the agents noticed, whose latest heartbeat "
        "was "
        "{} ms too late; the broker's own pauses: {}\n",
        counted, missing, noticed.lost, noticed.latest_ms, integer_in(stats, "stalls"));
  }
  broker.process().stop();
  return usage;
}

void report(const Usage& usage, const Options& options) {
  fmt::print("{} idle agents: {:.1f} KiB each (wanted <= {:.0f}), {:.1f} % of a core (wanted <= {:.0f}), {} lost\n",
             usage.agents, usage.kib_per_agent, kKibPerAgentWanted, usage.core_percent, kCorePercentWanted, usage.lost);
  if (!options.given("--json")) return;
  std::FILE* const file = std::fopen(options.text("--json").c_str(), "w");
  if (file == nullptr) fatal(fmt::format("{}: can't be written", options.text("--json")));
  fmt::print(file, R"({{"agents": {}, "kib_per_agent": {:.2f}, "core_percent": {:.2f}, "lost": {}, "reached": {}}})",
             usage.agents, usage.kib_per_agent, usage.core_percent, usage.lost, usage.reached());
  std::fclose(file);
}

int program(int argc, char** argv) {
  const Options options(argc, argv,
                        {{"--agents", {"10000", "how many"}},
                         {"--broker", {"compositord", "path of the broker to measure"}},
                         {"--bus", {"", "with --generate: where the broker is"}},
                         {"--first", {"0", "with --generate: the number of the first agent"}},
                         {"--generate!", {"", "be the agents (what this program starts by itself)"}},
                         {"--idle-ms", {"20000", "how long the broker's time is measured"}},
                         {"--json", {"", "write the figures to this file, too"}},
                         {"--judge!", {"", "fail when a wanted figure is missed"}},
                         {"--settle-ms", {"3000", "how long to wait before that"}}});
  if (options.given("--generate!")) return run_agents(options);
  const Usage usage = measure(options, argv[0]);
  report(usage, options);
  return usage.lost > 0 || (options.given("--judge!") && !usage.reached()) ? 1 : 0;
}

}  // namespace
}  // namespace compositord::bench

int main(int argc, char** argv) { return compositord::bench::program(argc, argv); }
