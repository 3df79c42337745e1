// Round trips through the broker beside the same round trips through zmq_proxy(), which is what a broker made of libzmq can
// reach at best. Exit status: 0; 1 when an answer was lost, came twice or was wrong, or with --judge when a figure is
// missed; 2 when nothing could be measured.

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/bench/child_process.h"
#include "tests/bench/comparison.h"
#include "tests/bench/echo_worker.h"
#include "tests/bench/fatal.h"
#include "tests/bench/options.h"
#include "tests/support/temp_dir.h"

namespace compositord::bench {
namespace {

// The rival: a process of its own, like the broker, that only passes frames on. Runs until it is killed.
int run_proxy() {
  RawContext context;
  RawSocket clients(context, ZMQ_ROUTER);
  RawSocket workers(context, ZMQ_DEALER);
  fmt::print("clients {}\n", clients.bind("tcp://127.0.0.1:*"));
  fmt::print("workers {}\nready\n", workers.bind("tcp://127.0.0.1:*"));
  std::fflush(stdout);
  return zmq_proxy(clients.handle(), workers.handle(), nullptr);
}

std::vector<Comparison> wanted_comparisons(const std::string& only) {
  constexpr double kRateWanted = 0.8;
  constexpr double kP50Wanted = 1.15;
  const std::vector<Comparison> all = {
      {"small", {"bench", 256, 64}, Figure::kRate, kRateWanted, {}, {}},
      {"large", {"bench", 256, 4'096}, Figure::kRate, kRateWanted, {}, {}},
      {"single", {"bench", 1, 64}, Figure::kP50, kP50Wanted, {}, {}},
  };
  std::vector<Comparison> chosen;
  for (const Comparison& comparison : all) {
    if (only == "all" || only == comparison.name) chosen.push_back(comparison);
  }
  if (chosen.empty()) fatal(fmt::format("--case {}: there is no such case", only));
  return chosen;
}

void write_file(const std::string& path, const std::string& text) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  const bool written = file != nullptr && std::fputs(text.c_str(), file) >= 0;
  if (file == nullptr || std::fclose(file) != 0 || !written) fatal(fmt::format("{}: can't be written", path));
}

int run(const Options& options, const std::string& own_path) {
  const test::TempDir state;
  Server broker({options.text("--broker"), "--bus", "tcp://127.0.0.1:*", "--feed", "tcp://127.0.0.1:*", "--state-dir",
                 state.path().string(), "--log-level", "error"});
  Server proxy({own_path, "--proxy"});
  const Middles middles{{broker.endpoint("bus"), broker.process().pid()},
                        {proxy.endpoint("clients"), proxy.process().pid()}};
  const Pace pace{static_cast<int>(options.number("--rounds")), std::chrono::milliseconds(options.number("--slice-ms")),
                  static_cast<std::uint64_t>(options.number("--trips"))};
  std::vector<Comparison> comparisons = wanted_comparisons(options.text("--case"));
  {
    const int credit = static_cast<int>(options.number("--credit"));
    const EchoWorker at_broker(Carrier::kBroker, middles.broker.endpoint, "bench", credit);
    const EchoWorker at_proxy(Carrier::kProxy, proxy.endpoint("workers"), "bench", credit);
    for (Comparison& comparison : comparisons) measure(comparison, middles, pace);
  }
  broker.process().stop();
  proxy.process().stop();
  fmt::print("credit {}, {} rounds of {} ms each\n{}", options.text("--credit"), options.text("--rounds"),
             options.text("--slice-ms"), table(comparisons));
  if (options.given("--json")) write_file(options.text("--json"), json(comparisons));
  std::uint64_t faults = 0;
  bool reached = true;
  for (const Comparison& comparison : comparisons) {
    faults += comparison.broker.faults.all() + comparison.proxy.faults.all();
    reached = reached && comparison.reached();
  }
  return faults > 0 || (options.given("--judge!") && !reached) ? 1 : 0;
}

int program(int argc, char** argv) {
  const Options options(argc, argv,
                        {{"--broker", {"compositord", "path of the broker to measure"}},
                         {"--case", {"all", "small, large or single"}},
                         {"--credit", {"64", "requests that the broker's worker takes at once"}},
                         {"--json", {"", "write the figures to this file, too"}},
                         {"--judge!", {"", "fail when a wanted figure is missed"}},
                         {"--proxy!", {"", "be the rival (what this program starts by itself)"}},
                         {"--rounds", {"9", "how often each side is measured"}},
                         {"--slice-ms", {"1000", "how long each time"}},
                         {"--trips", {"0", "end a slice after as many round trips; 0: only by time"}}});
  return options.given("--proxy!") ? run_proxy() : run(options, argv[0]);
}

}  // namespace
}  // namespace compositord::bench

int main(int argc, char** argv) { return compositord::bench::program(argc, argv); }
