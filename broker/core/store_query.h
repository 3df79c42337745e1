#pragma once
// Questions to the store. The core holds no history in memory: it hands out a StoreRead, as it hands out a StoreWrite, and
// the rows come back as input::StoreAnswered. A read sees every write that was handed out before it and did not fail.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/core/history.h"
#include "common/base/instant.h"

namespace compositord::broker {

// Manifests that a compositor had, in the order of their revisions.
struct RevisionsQuery {
  std::string id;
  std::vector<std::uint64_t> revisions;  // these, with their manifests; empty: all, without
  friend bool operator==(const RevisionsQuery&, const RevisionsQuery&) = default;
};

// Changes of a status with since <= at < until, compositor by compositor, each in the order of (epoch, seq).
struct ChangesQuery {
  std::vector<std::string> ids;
  UnixMs since;
  UnixMs until;
  bool with_before = false;  // also the last one before `since`, of each, and the broker's runs
  std::uint64_t after_epoch = 0;
  std::uint64_t after_seq = 0;
  std::uint64_t rows_max =
      0;  // StoreRows::more tells that there may be more; also when they have too many bytes for an answer
  friend bool operator==(const ChangesQuery&, const ChangesQuery&) = default;
};

using StoreQuery = std::variant<RevisionsQuery, ChangesQuery>;

struct StoreRows {
  std::vector<ManifestRevision> revisions;
  std::vector<StatusChange> changes;
  std::vector<BrokerRun> runs;  // in the order of their epochs
  bool more = false;
  friend bool operator==(const StoreRows&, const StoreRows&) = default;
};

struct StoreRead {
  std::uint64_t read_id = 0;  // comes back in input::StoreAnswered
  StoreQuery query;
};

}  // namespace compositord::broker
