#pragma once
// Carries out `launch`: starts programs on the compositor's display. They are nobody's children in spirit: each has a session of
// its own, nothing of ours open, and lives on when the agent ends. In fact they are ours, so that we see them end, and reap
// them.

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/process/child_process.h"
#include "agent/process/launch_request.h"
#include "agent/process/program_list.h"
#include "common/base/instant.h"

namespace compositord::agent {

struct LaunchSettings {
  ProgramList programs;
  std::string x11_display;  // empty: of a Wayland compositor
  std::string runtime_dir;  // the agent's own; may be empty
};

class Launcher {
 public:
  // At once; a wall shows a handful.
  static constexpr std::size_t kRunningMax = 64;
  // A program that can't reach its display says so and ends within a few milliseconds; who lives so long has begun.
  static constexpr Duration kEarlyEnd = std::chrono::milliseconds(300);
  // What the answer needs to arrive before the command's deadline.
  static constexpr Duration kAnswerTime = std::chrono::milliseconds(50);

  explicit Launcher(LaunchSettings settings) : settings_(std::move(settings)) {}

  // Ends with one CommandFinished. `socket`: of the compositor's display. Errors, all in that event: kMalformed, kForbidden,
  // kNotFound (no such program), kLimit, kFailed (it can't be executed, or has ended at once with a code or signal).
  void launch(std::uint64_t command_id, const msg::Value& params, const std::string& socket, Instant now,
              Instant deadline, DriverOutputs& out);
  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept;
  void service(Instant now, DriverOutputs& out);
  std::size_t running() const noexcept { return launched_.size(); }

 private:
  struct Launched {
    ChildProcess process;
    std::string program;
    std::optional<std::uint64_t> command_id;  // until it is answered
    bool runs = false;                        // it was executed
    Instant answer_at;
  };
  Result<Launched> start(const msg::Value& params, const std::string& socket) const;
  // Whether it is still there.
  bool serve(Launched& launched, Instant now, DriverOutputs& out) const;

  LaunchSettings settings_;
  std::vector<Launched> launched_;
};

}  // namespace compositord::agent
