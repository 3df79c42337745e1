#include "agent/process/end_wait.h"

namespace compositord::agent {

void EndWait::begin(Instant now) noexcept {
  look_at_ = now + ProcessWatch::kCauseWait;
  give_up_at_ = now + kExitingMax;
}

bool EndWait::is_over(const std::optional<ProcessWatch>& process, Instant now) {
  if (!process) return true;
  if (process->next_deadline() != kNever) {  // it has ended, and owes only the cause, in a time of its own
    look_at_ = process->next_deadline();
    return false;
  }
  if (now < look_at_) return false;
  if (now >= give_up_at_ || !process->is_exiting()) return true;
  look_at_ = now + ProcessWatch::kCauseWait;
  return false;
}

}  // namespace compositord::agent
