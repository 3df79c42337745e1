#pragma once
// The agent's one event loop: the bus, the display and the compositor's driver around the pure core. Nothing in it blocks on
// a peer: a frozen compositor or a dead broker costs it nothing.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/agent_core.h"
#include "agent/driver.h"
#include "agent/io/broker_link.h"
#include "agent/process/child_process.h"
#include "agent/process/launcher.h"
#include "agent/process/peer.h"
#include "agent/systemd/end_witness.h"
#include "agent/wayland/display_watch.h"
#include "common/log/log.h"
#include "common/net/poller.h"

namespace compositord::agent {

class AgentLoop {
 public:
  // `signal_fd`: a signalfd; any signal on it asks the agent to end. References must outlive the loop.
  AgentLoop(net::ZmqContext& context, std::string broker, BrokerLink link, DisplayWatch& display, log::Logger& logger,
            int signal_fd);

  // The core's supervisor starts this. `hangup_fd`: a signalfd whose signals are passed on to it.
  void supervise(ChildCommand command, int hangup_fd);
  // Asks systemd how compositors ended, which the kernel tells only their parents.
  void ask_systemd() { asks_systemd_ = true; }
  // Carries out `launch`, which the core's configuration allows.
  void allow_launch(LaunchSettings settings) { launcher_.emplace(std::move(settings)); }
  // Runs until the core has finished.
  void run(AgentCore& core);

 private:
  void turn(AgentCore& core);
  void wait(Instant planned);
  void take_bus(AgentCore& core, Instant now);
  void serve_child(AgentCore& core, Instant now);
  void pass_on_hangup();
  void apply_child(AgentCore& core, Instant now);
  void serve_display(AgentCore& core, Instant now);
  void serve_witnesses(AgentCore& core, Instant now);
  void measure(const msg::Manifest& manifest);
  void watch_end(const msg::Manifest& manifest);
  void ask_how_it_ended(driver_event::Gone& gone);
  void take_driver_outputs(AgentCore& core, Instant now);
  void set_calendar(AgentCore& core, Instant now);
  void apply_outputs(Instant now);
  void execute(const Execute& execute, Instant now);
  Instant next_deadline(const AgentCore& core) const;

  net::ZmqContext& context_;
  std::string broker_;
  BrokerLink link_;
  DisplayWatch& display_;
  log::Logger& logger_;
  int signal_fd_;
  std::optional<ChildCommand> command_;
  std::optional<ChildProcess> child_;  // while it runs
  int hangup_fd_ = -1;
  bool stop_told_ = false;
  bool stop_asked_ = false;
  net::Poller poller_;
  std::vector<pollfd> fds_;
  std::unique_ptr<Driver> driver_;  // of the compositor that is there; none: display_ looks for one
  std::optional<Launcher> launcher_;
  bool asks_systemd_ = false;
  std::optional<systemd::EndWitness> witness_;       // of the compositor that is there
  std::optional<systemd::EndWitness> late_witness_;  // of the one that is gone, while nobody has told how
  std::optional<Peer> measured_;                     // of the compositor that is there: whose usage is looked at
  DriverOutputs driver_outputs_;
  Outputs outputs_;
  Instant last_turn_;
  std::int64_t unix_ms_at_origin_ = 0;
};

}  // namespace compositord::agent
