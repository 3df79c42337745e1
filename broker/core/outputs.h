#pragma once
// Everything the broker's core wants done. The loop does it in this order: store writes, sends, publishes, log.

#include <cstdint>
#include <vector>

#include "broker/core/record.h"
#include "common/base/log_event.h"
#include "common/wire/frames.h"

namespace compositord::broker {

struct Send {
  wire::RoutingId peer;
  wire::Frames frames;
  std::uint64_t request = 0;  // the open request this carries to a worker, or 0; comes back in input::SendFailed
};

// The numbers of store writes, one after the other for all parts of the core.
struct CommitIds {
  std::uint64_t next() { return ++last; }
  std::uint64_t last = 0;
};

struct Outputs {
  std::vector<StoreWrite> store_writes;
  std::vector<Send> sends;
  std::vector<wire::Frames> publishes;
  std::vector<LogEvent> log;

  void clear() {
    store_writes.clear();
    sends.clear();
    publishes.clear();
    log.clear();
  }
};

}  // namespace compositord::broker
