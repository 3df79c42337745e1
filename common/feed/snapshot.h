#pragma once
// What the broker's tables held at one moment, asked for on the bus in pages: what a subscriber's view begins with.
//
//   call                  | with                                | pages are read by
//   ----------------------+-------------------------------------+------------------
//   bus.status snapshot   | {} or {"after": next}               | add_status_page()
//   bus.alert list        | {} or {"after": next}, no filter    | add_alert_page()

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/msg/alert.h"
#include "common/msg/status.h"
#include "common/msg/value.h"

namespace compositord::feed {

// The last seq of each kind.
using Seqs = std::map<std::string, std::uint64_t, std::less<>>;

struct Snapshot {
  struct Entry {
    std::uint64_t seq = 0;  // of the status' own last publication; 0: none in this epoch
    msg::Status status;
  };
  std::uint64_t epoch = 0;  // 0: no page yet
  // All that was published up to here is in it: as they were when the first page was made.
  Seqs seqs;
  std::vector<Entry> statuses;
  std::vector<msg::Alert> alerts;  // those that fire
};

// Adds a page and gives where the next one begins; nothing when it was the last. Errors: kMalformed; kConflict, when the
// broker was restarted since the page before: begin with a new Snapshot.
Result<std::optional<std::string>> add_status_page(const msg::Value& result, Snapshot& snapshot);
Result<std::optional<std::string>> add_alert_page(const msg::Value& result, Snapshot& snapshot);

// The numbers of a `seqs` map, of a hello, a tick or a page; what is none is left out.
Seqs read_seqs(const msg::Value& holder);

}  // namespace compositord::feed
