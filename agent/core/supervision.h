#pragma once
// The agent's own compositor: the supervisor, the commands that ask something of it, and what is told of a crash. Made only
// when the agent starts its compositor itself. Pure.
//
// A command ends when what it wants can be seen: `stop` when the process has ended, `restart` when the new one has answered
// its first round trip. One that comes after another replaces it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/commands.h"
#include "agent/core/flight_recorder.h"
#include "agent/core/input.h"
#include "agent/core/outputs.h"
#include "agent/core/supervisor.h"

namespace compositord::agent {

class Supervision {
 public:
  Supervision(const SupervisorConfig& config, std::uint64_t seed) : supervisor_(config, seed) {}

  void started(const input::ChildStarted& child, Instant now, Commands& commands, Outputs& out);
  void start_failed(const input::ChildStartFailed& child, Instant now, Commands& commands, Outputs& out);
  void ended(const input::ChildEnded& child, Instant now, std::int64_t unix_ms_at_origin, Commands& commands,
             Outputs& out);
  // The compositor has answered its first round trip.
  void answered(Commands& commands, Outputs& out);
  void asked(const Commands::Supervise& command, Instant now, Commands& commands, Outputs& out);
  // The agent ends, and its compositor with it.
  void leave(Instant now, Outputs& out);
  void tick(Instant now, Outputs& out);

  Instant next_deadline() const noexcept { return supervisor_.next_deadline(); }
  bool is_stopped() const noexcept { return supervisor_.state() == SupervisorState::kStopped; }
  const std::string& note() const noexcept { return supervisor_.note(); }
  // How often the program was started after the first time.
  std::uint64_t restarts() const noexcept { return starts_ == 0 ? 0 : starts_ - 1; }
  const std::optional<msg::Crash>& last_crash() const noexcept { return last_crash_; }
  FlightRecorder& recorder() noexcept { return recorder_; }
  // For the manifest.
  static std::vector<msg::CommandSupport> commands();

 private:
  enum class Phase : std::uint8_t { kNotBegun, kServing, kLeaving };
  struct Pending {
    Commands::Supervise command;
    std::int64_t pid_before = 0;
  };
  void apply(SupervisorActions& actions, Outputs& out);
  void finish(Status status, std::string error, msg::Value after, Commands& commands, Outputs& out);
  void finish_stop(msg::Value after, Commands& commands, Outputs& out);

  Supervisor supervisor_;
  FlightRecorder recorder_;
  std::uint64_t starts_ = 0;
  Phase phase_ = Phase::kNotBegun;
  std::optional<Pending> pending_;
  std::optional<msg::Crash> last_crash_;
};

}  // namespace compositord::agent
