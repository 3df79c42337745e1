#pragma once
// Everything the broker's core wants done. The loop does it in this order: store writes, store reads, sends, publishes,
// notices, reloads, log, log levels.

#include <cstdint>
#include <string>
#include <vector>

#include "broker/core/record.h"
#include "broker/core/store_query.h"
#include "common/base/log_event.h"
#include "common/msg/alert.h"
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
  std::vector<StoreRead> store_reads;
  std::vector<Send> sends;
  std::vector<wire::Frames> publishes;
  std::vector<msg::Alert> notices;     // changes of alerts that people are to be told of
  std::vector<std::uint64_t> reloads;  // the configuration is to be read again; comes back in input::Reloaded
  std::vector<Severity> log_levels;    // the least severity that is logged from now on, after `log`
  std::vector<LogEvent> log;

  void clear() {
    store_writes.clear();
    store_reads.clear();
    sends.clear();
    publishes.clear();
    notices.clear();
    reloads.clear();
    log_levels.clear();
    log.clear();
  }
};

}  // namespace compositord::broker
