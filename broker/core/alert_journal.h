#pragma once
// Tells the world of alerts' changes in their order, each when the store has it: a broker that is killed in between knows
// after its restart what it had begun. A store that fails or takes too long delays nobody.

#include <deque>
#include <optional>

#include "broker/core/feed.h"
#include "broker/core/outputs.h"
#include "broker/core/record.h"
#include "broker/core/timer_queue.h"
#include "common/msg/alert.h"

namespace compositord::broker {

class AlertJournal {
 public:
  AlertJournal(Feed& feed, TimerQueue& timers, CommitIds& commit_ids)
      : feed_(feed), timers_(timers), commit_ids_(commit_ids) {}

  struct Telling {
    msg::Alert alert;
    // The severity under which it was last told, when that is another one: its subscribers are told that it is theirs no more.
    std::optional<msg::AlertSeverity> left;
    bool notice = false;  // people are to be told
  };
  void tell(AlertRecord record, Telling telling, Now now, Outputs& out);
  // Writes without telling anybody.
  void write(AlertRecord record, Outputs& out);
  // A store write ended, well or not.
  void on_stored(std::uint64_t commit_id, Now now, Outputs& out);
  void on_timer(Now now, Outputs& out);
  // Again what was told before.
  void repeat(const msg::Alert& alert, UnixMs now, Outputs& out);
  bool idle() const noexcept { return waiting_.empty(); }

 private:
  struct Entry {
    std::uint64_t commit_id = 0;
    Instant told_until;
    Telling telling;
    bool stored = false;
  };
  void tell_next(Now now, Outputs& out);
  void arm();

  Feed& feed_;
  TimerQueue& timers_;
  CommitIds& commit_ids_;
  std::deque<Entry> waiting_;
  TimerId timer_ = 0;
};

}  // namespace compositord::broker
