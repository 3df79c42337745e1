#pragma once
// What the broker remembers across restarts: the form between the core and its store.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "broker/core/history.h"
#include "common/base/instant.h"
#include "common/msg/fields.h"
#include "common/wire/frames.h"

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

//   state      | becomes    | when
//   -----------|------------|-----------------------------------------------------------------------------
//   –          | kWaiting   | it was asked for
//   kWaiting   | kRunning   | its service has a worker, and nothing of that service is running
//   kWaiting   | kDone      | its time to live is over
//   kWaiting   | kCancelled | bus.job cancel
//   kRunning   | kWaiting   | it was certainly not carried out; or perhaps, and it is idempotent
//   kRunning   | kDone      | it was answered; or nobody knows, and it is not idempotent
//   kDone, kCancelled | –   | the time to keep results is over, or titanic.close
enum class JobState : std::uint8_t { kWaiting, kRunning, kDone, kCancelled };
constexpr std::array<msg::EnumName<JobState>, 4> enum_names(JobState) {
  return {{{JobState::kWaiting, "waiting"},
           {JobState::kRunning, "running"},
           {JobState::kDone, "done"},
           {JobState::kCancelled, "cancelled"}}};
}

// A request that is kept until it can be carried out, and its result after that.
struct JobRecord {
  std::string id;  // 32 hex digits, growing: epoch, then number
  std::string service;
  std::string method;            // of a call, for lists; empty when plain
  std::string idem;              // the caller's key, or empty
  wire::Frames body;             // as the worker is to get it
  wire::Frames result;           // the worker's answer; empty when there is none
  std::string error;             // instead, a sentence
  std::int64_t attempts = 0;     // how often it was handed to a worker
  std::int64_t deadline_ms = 0;  // of one attempt
  UnixMs created_at;
  UnixMs expires_at;  // not begun until then: ended with 504
  UnixMs ended_at;
  std::uint16_t status = 0;  // once it is done
  JobState state = JobState::kWaiting;
  bool idempotent = false;
  bool plain = false;   // the body is opaque, and so is the result
  bool erased = false;  // it is to be forgotten
  friend bool operator==(const JobRecord&, const JobRecord&) = default;
};

// One alert's life, with what is known of telling people of it.
struct AlertRecord {
  std::string id;  // msg::Alert::alert
  std::string subject;
  std::string about;
  bool active = false;  // it fires
  UnixMs since;
  std::string document;         // the msg::Alert, canonical MessagePack
  std::uint64_t notice = 0;     // the last of its changes that people were to be told of
  std::uint64_t delivered = 0;  // the last one that they were told of
  bool erased = false;          // it is to be forgotten
  friend bool operator==(const AlertRecord&, const AlertRecord&) = default;
};

// A silence or a maintenance window.
struct WindowRecord {
  std::string id;
  std::string document;  // the msg::AlertWindow, canonical MessagePack
  bool erased = false;   // it is to be forgotten
  friend bool operator==(const WindowRecord&, const WindowRecord&) = default;
};

using Record =
    std::variant<CompositorRecord, JobRecord, AlertRecord, WindowRecord, ManifestRevision, StatusChange, BrokerRun>;

// The core asks for it with an id of its own and gets that id back in input::StoreDone. A later write of the same record
// may take the place of an earlier one that is not yet on disk.
struct StoreWrite {
  std::uint64_t commit_id = 0;  // 0: of history, for whose end nobody waits
  Record record;
};

// What tells a record from all others: "compositor wall/w1", "job 000…", "alert 000…", "window silence-0001-0001".
std::string key_of(const Record& record);
// Bytes in memory, near enough for a bound.
std::size_t size_of(const CompositorRecord& record);
std::size_t size_of(const JobRecord& record);
std::size_t size_of(const AlertRecord& record);
std::size_t size_of(const WindowRecord& record);
std::size_t size_of(const ManifestRevision& record);
std::size_t size_of(const StatusChange& record);
std::size_t size_of(const BrokerRun& record);
std::size_t size_of(const Record& record);

// What became of the file that the store is kept in.
struct StoreFileNews {
  // Damaged files that were set aside and still lie beside it, the oldest first.
  std::vector<std::string> set_aside;
  std::string why;        // what was wrong with the last of them; empty when it was set aside earlier
  bool replaced = false;  // another file is in its place: what was kept before is not in it
  friend bool operator==(const StoreFileNews&, const StoreFileNews&) = default;
};

// What a store holds when the broker starts.
struct StoredState {
  std::uint64_t epoch = 0;  // of THIS run: greater than every earlier one
  std::vector<CompositorRecord> compositors;
  std::vector<JobRecord> jobs;  // in the order of their ids
  std::vector<AlertRecord> alerts;
  std::vector<WindowRecord> windows;
  std::string warning;  // why this run's epoch could not be kept, a sentence; empty when all is well
};

}  // namespace compositord::broker
