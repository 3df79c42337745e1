#pragma once
// One bus in virtual time: a real broker, real agents beside model compositors, clients that ask, and faults. Everything comes
// from one seed. run() ends with the list of what was wrong.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "tests/sim/digest.h"
#include "tests/sim/failures.h"
#include "tests/sim/feed_watch.h"
#include "tests/sim/ledger.h"
#include "tests/sim/promises.h"
#include "tests/sim/sim_agent.h"
#include "tests/sim/sim_broker.h"
#include "tests/sim/sim_client.h"

namespace compositord::sim {

struct SimulationConfig {
  std::uint64_t seed = 1;
  std::size_t agents = 20;
  std::size_t clients = 3;
  Duration length = std::chrono::minutes(10);
  bool faults = true;
  bool stalls = false;  // beside or without faults: loops that are late, by less than anybody's patience
  // From one fault to the next, at most.
  Duration fault_pause_max = std::chrono::seconds(8);
  // What agents ask for, one after the other; how often they ask their compositors, and report what has not changed.
  std::vector<Duration> heartbeats{std::chrono::milliseconds(500), std::chrono::seconds(1), std::chrono::seconds(2)};
  Duration probe_interval = std::chrono::seconds(1);
  Duration status_refresh = std::chrono::seconds(10);
};

class Simulation {
 public:
  explicit Simulation(const SimulationConfig& config);
  void run();

  const Failures& failures() const noexcept { return failures_; }
  std::uint64_t digest() const noexcept { return digest_.value(); }
  std::uint64_t events() const noexcept { return events_.happened(); }
  std::uint64_t promises_kept() const noexcept { return promises_.kept(); }
  std::uint64_t alerts() const noexcept { return feed_.alerts(); }
  const Ledger& ledger() const noexcept { return ledger_; }
  std::uint64_t stalls() const noexcept { return stalls_; }
  // How often the calls of all clients ended with each status; 0: with their connection.
  std::map<int, std::uint64_t> ends() const;

 private:
  struct Watched {
    std::unique_ptr<SimAgent> agent;
    Instant excused_until;  // it may be lost, or shown as it was: something has happened to it
    std::uint64_t partitions = 0;
  };

  // faults.cpp: what happens to the bus, one function each.
  void next_fault();
  void agent_fault(Watched& watched);
  void compositor_fault(Watched& watched);
  void bus_fault();
  void client_fault();
  void kill_agent(Watched& watched);
  void vanish_agent(Watched& watched);
  void pause_agent(Watched& watched);
  void partition(Watched& watched, Duration duration);
  void reset_connection(Watched& watched);
  void stop_agent(Watched& watched);
  void freeze(Watched& watched);
  void end_compositor(Watched& watched);
  void change_output(Watched& watched);
  void restart_broker();
  void pause_broker();
  void break_store();
  void stall(SimAgent& agent);
  void stall_broker();
  void partition_site(Duration duration);
  Duration span(std::int64_t from_ms, std::int64_t to_ms);
  // True when nothing is wrong with it, so that promises hold. Ends those made before.
  bool disturb(Watched& watched, Duration duration);
  void disturb_all(Duration duration);
  void expect_lost(const Watched& watched, Duration lasts);

  void on_status(const msg::Status& status);
  void leave_some_broken();
  // After the end of a fault: two heartbeat intervals, the longest back-off with its jitter, and the network's ways.
  static Duration come_back(Duration heartbeat_interval);
  Duration come_back_max() const;
  void check_online(const Watched& watched);
  void check_nobody_was_lost();
  void check_truth();
  void check_jobs();
  void check_truth_of(Watched& watched);

  SimulationConfig config_;
  Random random_;
  EventQueue events_;
  Digest digest_;
  Failures failures_;
  Ledger ledger_;
  Promises promises_;
  FeedWatch feed_;
  SimBroker broker_;
  std::vector<Watched> watched_;
  std::map<std::string, std::size_t> index_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  Instant faults_end_;
  Instant broker_excused_until_;
  Instant broker_paused_until_;
  std::uint64_t stalls_ = 0;
};

}  // namespace compositord::sim
