#pragma once
// What the store keeps beside the present state: earlier manifests, every change of a status, and when a broker ran. The core
// writes these and forgets them; to answer a question about them it asks the store (store_query.h).

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/msg/status.h"

namespace compositord::broker {

// One manifest that a compositor had. Equal manifests are kept once, by their hash.
struct ManifestRevision {
  std::string id;
  std::uint64_t revision = 0;
  std::string hash;
  std::string manifest;  // canonical MessagePack; empty in lists
  std::string name;      // out of the manifest
  std::string version;
  UnixMs observed_at;      // when the agent first said so
  std::uint64_t keep = 0;  // of a write: so many revisions of this compositor stay, older ones go
  friend bool operator==(const ManifestRevision&, const ManifestRevision&) = default;
};

struct OutputChange {
  std::string name;
  msg::OutputState state = msg::OutputState::kUnknown;
  bool planned = false;  // it is dark because somebody wanted it so
  friend bool operator==(const OutputChange&, const OutputChange&) = default;
};

// How a compositor did from `at` on, until its next one or the broker's end. Epoch and seq are those of the publication on
// the feed that told the same.
struct StatusChange {
  std::string id;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  UnixMs at;
  msg::Verdict verdict = msg::Verdict::kUnknown;
  std::string layer;
  std::string reason;
  msg::Link link = msg::Link::kLost;
  msg::Process process = msg::Process::kUnknown;
  msg::Progress progress = msg::Progress::kUnknown;
  std::vector<OutputChange> outputs;
  friend bool operator==(const StatusChange&, const StatusChange&) = default;
};

// One run of a broker: what it did not see, nobody knows.
struct BrokerRun {
  std::uint64_t epoch = 0;
  UnixMs started_at;
  UnixMs alive_at;  // the last time that is on disk; it ended then, or at most a minute later
  // Of a write, 0: nothing is forgotten now. Else what is older than `forget_before` and what is beyond the newest
  // `changes_max` changes, but for each compositor's last one.
  UnixMs forget_before;
  std::uint64_t changes_max = 0;
  friend bool operator==(const BrokerRun&, const BrokerRun&) = default;
};

}  // namespace compositord::broker
