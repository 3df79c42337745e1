#pragma once
// An agent's process: a real AgentCore, its bus socket, and a driver for the compositor beside it. It can be stopped, killed,
// started anew and cut off.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "agent/core/agent_core.h"
#include "common/base/random.h"
#include "tests/sim/digest.h"
#include "tests/sim/failures.h"
#include "tests/sim/ledger.h"
#include "tests/sim/link.h"
#include "tests/sim/loop_model.h"
#include "tests/sim/sim_compositor.h"

namespace compositord::sim {

class SimAgent {
 public:
  // `config` must name a heartbeat interval.
  SimAgent(EventQueue& events, std::uint64_t seed, SimBroker& broker, Digest& digest, Failures& failures,
           Ledger& ledger, agent::AgentConfig config);
  SimAgent(const SimAgent&) = delete;
  SimAgent& operator=(const SimAgent&) = delete;

  const std::string& id() const noexcept { return id_; }
  Duration heartbeat_interval() const noexcept { return *config_.heartbeat_interval; }
  SimCompositor& compositor() noexcept { return compositor_; }
  Link& link() noexcept { return link_; }
  bool up() const noexcept { return core_ != nullptr; }
  bool online() const noexcept { return up() && core_->session_state() == agent::SessionState::kOnline; }

  void start();
  void kill();    // its connection is closed by the kernel
  void vanish();  // its machine loses its power, and the compositor goes with it
  void ask_to_stop();
  void pause(Duration duration) { loop_.pause(duration); }
  void set_calendar(std::int64_t unix_ms_at_origin);
  // The next heartbeats and answers are said twice.
  void stutter(int messages) noexcept { stutter_ = messages; }

  // What this agent must say of its compositor once everything is quiet.
  msg::Process process_truth() const;
  msg::Progress progress_truth() const;

 private:
  void end();
  void push(agent::Input input);
  void turn(Duration lateness);
  void step(agent::Input input);
  void apply_outputs();
  void send(wire::Frames frames);

  // The driver.
  void find_compositor();
  void attach();
  void detach() noexcept { ++driver_, attached_ = false; }
  void from_driver(std::uint64_t driver, agent::DriverEvent event);
  void tell_outputs(Duration delay);
  void compositor_ended(const agent::ProcessEnd& end);
  void execute(const agent::Execute& execute);

  EventQueue& events_;
  Random random_;
  Digest& digest_;
  Failures& failures_;
  Ledger& ledger_;
  agent::AgentConfig config_;
  std::string id_;
  SimCompositor compositor_;
  Link link_;
  LoopModel loop_;
  std::unique_ptr<agent::AgentCore> core_;
  agent::Outputs out_;
  std::deque<agent::Input> pending_;
  std::uint64_t life_ = 0;
  std::uint64_t driver_ = 0;  // counts drivers; what an earlier one would have said is not said
  bool attached_ = false;
  std::optional<agent::ProcessEnd> witnessed_end_;  // by this process
  std::int64_t unix_ms_at_origin_ = 1'700'000'000'000;
  int stutter_ = 0;
};

}  // namespace compositord::sim
