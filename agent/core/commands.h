#pragma once
// The commands that the agent has been asked to carry out and has not answered yet. Each ends with one reply: the driver's,
// or at the deadline, or when the compositor ends under it.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "agent/core/agent_config.h"
#include "agent/core/confirmation.h"
#include "agent/core/outputs.h"
#include "agent/driver_event.h"
#include "common/msg/envelope.h"
#include "common/msg/manifest.h"
#include "common/wire/mdp.h"

namespace compositord::agent {

class Commands {
 public:
  explicit Commands(const AgentConfig& config) : config_(config) {}

  // A request for the supervisor, which also has work to do when no compositor is there.
  struct Supervise {
    std::uint64_t command_id = 0;
    bool restart = false;  // else: stop
  };

  // A request from the bus. `manifest`: of the compositor that is there now; nullptr: none is. What the driver must do is
  // appended to `out`, what the supervisor must do is returned.
  std::optional<Supervise> requested(wire::mdp::WorkerRequest&& request, const msg::Manifest* manifest, Instant now,
                                     Outputs& out);
  // Whether output.confirm is for anything here. `commands`: what the driver supports.
  static msg::CommandSupport confirm_support(const std::vector<msg::CommandSupport>& commands);
  // Whether `launch`, which is the agent's own, is allowed here.
  msg::CommandSupport launch_support() const;
  // The driver ended one; the supervisor did.
  void driver_finished(driver_event::CommandFinished finished, Instant now, Outputs& out);
  void finished(const driver_event::CommandFinished& finished, Outputs& out);
  // Passes a part of the answer on as a PARTIAL.
  void part(driver_event::CommandPart&& part, Outputs& out);
  // Ends what the driver was doing. The supervisor's commands go on: an end is what they want.
  void compositor_gone(Outputs& out);
  // The broker has ended all requests of a lost session by itself: their answers would be refused. A change that nobody can
  // confirm any more is taken back all the same.
  void forget_all() { open_.clear(); }
  void tick(Instant now, Outputs& out);
  Instant next_deadline() const noexcept;
  std::size_t open_count() const noexcept { return open_.size(); }
  std::size_t driver_count() const noexcept;  // of those that the driver has in hand

 private:
  struct Open {
    std::string client_address;
    msg::Encoding encoding = msg::Encoding::kMsgpack;
    msg::Value id;
    Instant deadline;
    bool of_supervisor = false;
    std::uint64_t part_bytes = 0;  // sent in parts so far
  };
  void confirm(const Open& open, const msg::Value& params, Outputs& out);
  static void reply(const std::string& client_address, const msg::Reply& reply, Outputs& out, bool final = true);

  const AgentConfig& config_;
  std::map<std::uint64_t, Open> open_;
  Confirmation confirmation_;
  std::uint64_t last_id_ = 0;
};

}  // namespace compositord::agent
