#pragma once
// How long a compositor whose connection broke is waited for, to learn how its process ended.

#include <chrono>
#include <optional>

#include "agent/process/process_watch.h"
#include "common/base/instant.h"

namespace compositord::agent {

class EndWait {
 public:
  // A large process on a busy machine closes its sockets long before it has ended: while it is on its way out.
  static constexpr Duration kExitingMax = std::chrono::seconds(2);

  // The connection broke now.
  void begin(Instant now) noexcept;
  Instant next_deadline() const noexcept { return look_at_; }
  // Whether nothing more is to be expected: of a process that lives on, one that takes too long, and one that nobody watches. Asked
  // after the watch's own service().
  bool is_over(const std::optional<ProcessWatch>& process, Instant now);

 private:
  Instant look_at_ = kNever;
  Instant give_up_at_ = kNever;
};

}  // namespace compositord::agent
