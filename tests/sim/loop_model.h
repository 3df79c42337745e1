#pragma once
// A process as its loop sees the world: a turn when something has come or a deadline is there, and none while it is stopped.
// The lateness it computes is the one that broker/io and agent/io compute.

#include <functional>

#include "tests/sim/event_queue.h"
#include "tests/sim/failures.h"

namespace compositord::sim {

class LoopModel {
 public:
  struct Process {
    std::function<void(Duration lateness)> turn;  // zero when it was in time
    std::function<Instant()> next_deadline;
  };
  LoopModel(EventQueue& events, Failures& failures, Duration lateness_min, Process process)
      : events_(events), failures_(failures), lateness_min_(lateness_min), process_(std::move(process)) {}

  void start();
  void stop();
  bool running() const noexcept { return running_; }
  // Something has come in: a turn follows, now or when the process goes on.
  void wake();
  // The process does nothing for so long (SIGSTOP, a machine that swaps).
  void pause(Duration duration);
  bool paused() const noexcept { return events_.now() < paused_until_; }

 private:
  void turn();
  void rest();  // until the next deadline

  EventQueue& events_;
  Failures& failures_;
  Duration lateness_min_;
  Process process_;
  bool running_ = false;
  bool in_turn_ = false;
  bool again_ = false;
  std::uint64_t life_ = 0;  // events of an earlier life mean nothing
  Instant wake_at_ = kNever;
  Instant planned_ = kNever;
  Instant last_turn_;
  Instant paused_until_;
  int turns_in_this_instant_ = 0;
};

}  // namespace compositord::sim
