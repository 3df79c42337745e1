#pragma once
// What the broker remembers across restarts: the form between the core and its store.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/instant.h"

namespace compositord::broker {

// One compositor.
struct CompositorRecord {
  std::string id;              // a valid msg::CompositorId
  std::string manifest;        // canonical MessagePack; empty when none was ever put
  std::string hash;            // of the manifest
  std::uint64_t revision = 0;  // counts the manifests that differed from their predecessor
  UnixMs observed_at;          // when the agent said that the manifest is so
  UnixMs last_seen;            // when the agent was last heard
  std::map<std::string, std::string> labels;
  friend bool operator==(const CompositorRecord&, const CompositorRecord&) = default;
};

// The core asks for it with an id of its own and gets that id back in input::StoreDone.
struct StoreWrite {
  std::uint64_t commit_id = 0;
  CompositorRecord record;
};

// What a store holds when the broker starts.
struct StoredState {
  std::uint64_t epoch = 0;  // of THIS run: greater than every earlier one
  std::vector<CompositorRecord> compositors;
  std::string warning;  // why this run's epoch could not be kept, a sentence; empty when all is well
};

}  // namespace compositord::broker
