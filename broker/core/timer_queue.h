#pragma once
// Timers of the broker's core, ordered by their deadline. A binary heap whose entries know their place, so that a timer is
// armed, moved and cancelled in O(log n), and nothing is left behind by the ones that are never due.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/instant.h"

namespace compositord::broker {

enum class TimerKind : std::uint8_t {
  kWorkerHeartbeat,  // key: worker id. We owe it a HEARTBEAT.
  kWorkerSilence,    // key: worker id. It may have been silent for too long.
  kDisconnectProbe,  // key: worker id. Ask again whether its connection is gone.
  kRequestDeadline,  // key: request token
  kJobEnd,           // key: job number. Its time to live, or to be kept, may be over.
  kJobRetry,         // key: job number. Its service may be tried again.
  kAlert,            // key: 0. Something of the alerts is due.
  kAlertJournal,     // key: 0. An alert has waited for the store long enough.
  kBusTick,          // key: 0. The feed's bus/tick.
  kBusStats,         // key: 0. The feed's bus/stats.
};

struct Timer {
  Instant at;
  TimerKind kind = TimerKind::kBusTick;
  std::uint64_t key = 0;
};

// 0 is "not armed". Valid from arm() until the timer is due or cancelled.
using TimerId = std::uint32_t;

class TimerQueue {
 public:
  TimerId arm(Instant at, TimerKind kind, std::uint64_t key);
  // Cancels and sets `id` to 0. Does nothing when it is 0 already.
  void cancel(TimerId& id);
  // The earliest timer that is due at `now`, taken out; its id is void from then on. Equal deadlines: in order of arming.
  std::optional<Timer> pop_due(Instant now);
  Instant next() const noexcept;
  // Moves every deadline by `by`: the loop was late, not the peers.
  void shift_all(Duration by);
  std::size_t size() const noexcept { return heap_.size(); }
  bool check_invariants() const;

 private:
  struct Slot {
    Timer timer;
    std::uint64_t order = 0;  // of arming; breaks ties, for equal inputs must give equal outputs
    std::size_t position = 0;
  };
  bool before(std::uint32_t a, std::uint32_t b) const;
  void place(std::size_t position, std::uint32_t slot);
  void sift_up(std::size_t position);
  void sift_down(std::size_t position);
  void remove_at(std::size_t position);

  std::vector<Slot> slots_;          // slot i is timer id i + 1
  std::vector<std::uint32_t> heap_;  // slots
  std::vector<std::uint32_t> free_;
  std::uint64_t armed_ = 0;
};

}  // namespace compositord::broker
