#pragma once
// When the agent's own compositor is started, stopped and started again. Pure: it says what is to be done, the loop does it
// and says what came of it.
//
//   state     | becomes   | when
//   ----------|-----------|-------------------------------------------------------------------------------
//   stopped   | starting  | begin(), a restart command
//   starting  | running   | the program was executed
//   starting  | waiting, latched, stopped | it could not be executed: as if it had ended with a failure
//   running   | waiting   | it ended unasked, and the policy wants it back: after a back-off
//   running   | latched   | … and it was started `start_limit` times within the window: a crash loop
//   running   | stopped   | … and the policy does not want it back
//   running   | stopping  | a stop or restart command: the stop signal now, SIGKILL after `stop_grace`
//   stopping  | stopped   | it ended
//   stopping  | starting  | it ended, and a restart was asked for
//   waiting   | starting  | the back-off is over, or a restart command
//   latched   | starting  | a restart command, which forgets the earlier starts
//   waiting, latched | stopped | a stop command
//
// A stop or restart while it is starting is carried out as soon as the program is there to be signalled.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "agent/driver_event.h"
#include "common/base/instant.h"
#include "common/base/log_event.h"
#include "common/base/random.h"

namespace compositord::agent {

enum class RestartPolicy : std::uint8_t { kAlways, kOnFailure, kNever };

struct SupervisorConfig {
  RestartPolicy restart = RestartPolicy::kAlways;
  Duration backoff_min = std::chrono::milliseconds(100);
  Duration backoff_max = std::chrono::seconds(30);
  Duration backoff_reset_after = std::chrono::seconds(10);  // a run that lasted so long was a good one
  std::size_t start_limit = 5;                              // 0: no limit
  Duration start_limit_window = std::chrono::seconds(60);
  Duration stop_grace = std::chrono::seconds(5);
};

enum class SupervisorState : std::uint8_t { kStopped, kStarting, kRunning, kWaiting, kLatched, kStopping };

enum class ChildSignal : std::uint8_t { kTerminate, kKill };

// What to do now.
struct SupervisorActions {
  bool start = false;
  std::optional<ChildSignal> signal;
  std::vector<LogEvent> log;
};

class Supervisor {
 public:
  // `seed` is for the jitter of the back-off.
  Supervisor(const SupervisorConfig& config, std::uint64_t seed) : config_(config), random_(seed) {}

  void begin(Instant now, SupervisorActions& actions);
  // What came of `start`: exactly one of the two.
  void started(std::int64_t pid, Instant now, SupervisorActions& actions);
  void start_failed(const std::string& why, Instant now, SupervisorActions& actions);
  // The started process has ended. True when that was asked for, and so is no crash.
  bool ended(const ProcessEnd& end, const std::string& text, Instant now, SupervisorActions& actions);
  void ask_stop(Instant now, SupervisorActions& actions);
  void ask_restart(Instant now, SupervisorActions& actions);
  void tick(Instant now, SupervisorActions& actions);

  Instant next_deadline() const noexcept { return deadline_; }
  SupervisorState state() const noexcept { return state_; }
  std::int64_t pid() const noexcept { return pid_; }  // 0: none runs
  // What will become of it, beside how it ended: "it will be started again", "crash loop: …". Empty while one runs.
  const std::string& note() const noexcept { return note_; }

 private:
  void start(Instant now, SupervisorActions& actions);
  void stop(Instant now, SupervisorActions& actions);
  // After an end or a failed start that nobody asked for. `why_not`: why it can't be started, and "; ".
  void recover(bool failure, const std::string& why_not, Instant now, SupervisorActions& actions);
  bool limit_reached(Instant now);

  SupervisorConfig config_;
  Random random_;
  SupervisorState state_ = SupervisorState::kStopped;
  bool start_after_stop_ = false;  // while stopping
  std::int64_t pid_ = 0;
  Instant running_since_;
  Instant deadline_ = kNever;  // of the back-off, or of the stop's grace
  Duration backoff_{};         // the last one; zero when the next is the first
  std::deque<Instant> starts_;
  std::string note_;
};

}  // namespace compositord::agent
