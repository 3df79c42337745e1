#pragma once
// A compositor as the world knows it: whether it runs, whether it answers, and what its outputs show. The driver (SimAgent's)
// watches it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/driver_event.h"
#include "tests/sim/event_queue.h"

namespace compositord::sim {

class SimCompositor {
 public:
  using Outputs = std::vector<std::pair<std::string, msg::OutputState>>;
  // What the driver, while there is one, is told by the kernel or on its connection.
  struct Watcher {
    std::function<void()> started;
    std::function<void(const agent::ProcessEnd&)> ended;
    std::function<void()> outputs_changed;
  };

  SimCompositor(EventQueue& events, std::string display);
  void set_watcher(Watcher watcher) { watcher_ = std::move(watcher); }

  bool running() const noexcept { return running_; }
  bool frozen() const noexcept { return frozen_; }
  bool stopped() const noexcept { return frozen_ && stopped_; }
  // Since when it has been running and answering; kNever while it does not.
  Instant well_since() const noexcept { return well_since_; }
  const Outputs& outputs() const noexcept { return outputs_; }
  msg::Manifest manifest() const;
  // Does something in the compositor's own time: after `delay`, and not before it answers. Never, when it ends before that.
  void when_it_answers(Duration delay, std::function<void()> what);

  // Faults and their ends.
  void start();
  void kill();
  void exit(int code);
  void freeze(bool stopped);  // SIGSTOP, or a busy loop
  void thaw();
  void set_output(std::size_t index, msg::OutputState state);

 private:
  void end(agent::ProcessEnd end);

  EventQueue& events_;
  std::string display_;
  Watcher watcher_;
  bool running_ = false;
  bool frozen_ = false;
  bool stopped_ = false;
  Instant well_since_ = kNever;
  std::uint64_t pid_ = 1'000;
  Outputs outputs_;
  std::vector<std::function<void()>> owed_;
};

}  // namespace compositord::sim
