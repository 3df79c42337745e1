#include "tests/sim/loop_model.h"

#include <algorithm>
#include <utility>

namespace compositord::sim {

namespace {
constexpr int kTurnsInAnInstantMax = 10'000;
}

void LoopModel::start() {
  ++life_;
  running_ = true;
  paused_until_ = last_turn_ = events_.now();
  planned_ = wake_at_ = kNever;
  wake();
}

void LoopModel::stop() {
  ++life_;
  running_ = false;
}

void LoopModel::wake() {
  if (!running_ || paused()) return;
  if (std::exchange(in_turn_, true)) {
    again_ = true;
    return;
  }
  do {
    again_ = false;
    turn();
  } while (again_ && running_);
  in_turn_ = false;
  if (running_) rest();
}

void LoopModel::turn() {
  const Instant now = events_.now();
  // Nothing takes time here, so a core that always has a deadline in the past would hold the clock for ever.
  turns_in_this_instant_ = now == last_turn_ ? turns_in_this_instant_ + 1 : 0;
  if (turns_in_this_instant_ > kTurnsInAnInstantMax)
    return failures_.add("a core's deadline does not move: its loop spins");
  const Duration lateness = now - std::max(planned_, last_turn_);
  last_turn_ = now;
  process_.turn(lateness > lateness_min_ ? lateness : Duration{});
  if (running_) planned_ = process_.next_deadline();
}

void LoopModel::rest() {
  const Instant at = std::max(planned_, events_.now());
  if (planned_ == kNever || at == wake_at_) return;
  wake_at_ = at;
  const std::uint64_t life = life_;
  events_.at(at, [this, at, life] {
    if (life != life_ || at != wake_at_) return;
    wake_at_ = kNever;
    wake();
  });
}

void LoopModel::pause(Duration duration) {
  if (!running_) return;
  paused_until_ = std::max(paused_until_, events_.now() + duration);
  const std::uint64_t life = life_;
  events_.at(paused_until_, [this, life] {
    if (life == life_) wake();
  });
}

}  // namespace compositord::sim
