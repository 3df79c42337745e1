#pragma once
// The workers: every peer that registered as an agent or sent READY, by its routing id.
//
//   state        | becomes   | when
//   -------------|-----------|---------------------------------------------------------------
//   –            | kAdmitted | bus.agent register or bus.worker register, answered 200
//   –            | kReady    | READY of a plain MDP service
//   kAdmitted    | kReady    | READY of the service it registered: compositor/<id> for an agent
//   any          | –         | DISCONNECT, leave, silence, connection gone, takeover, unexpected command
//
// Doubt is the other thing known of a worker: that its connection seems closed, or that it has been silent for long.

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/core/timer_queue.h"
#include "common/base/instant.h"
#include "common/msg/compositor_id.h"
#include "common/wire/mdp.h"

namespace compositord::broker {

using WorkerId = std::uint64_t;  // 1, 2, … in order of arrival; 0 is none

enum class WorkerState : std::uint8_t { kAdmitted, kReady };

enum class Doubt : std::uint8_t {
  kNone,
  kSilent,        // all but its last interval of liveness has passed without a word
  kDisconnected,  // its connection is said to have closed; being asked
};

// The requests that are at one worker, oldest first. Few (its credit), and the newest comes last: a sorted vector, which
// costs no memory of its own for each.
class TokenSet {
 public:
  void insert(std::uint64_t token);  // does nothing when it is there
  void erase(std::uint64_t token);   // does nothing when it isn't
  void clear() noexcept { tokens_.clear(); }
  std::size_t size() const noexcept { return tokens_.size(); }
  bool empty() const noexcept { return tokens_.empty(); }
  auto begin() const noexcept { return tokens_.begin(); }
  auto end() const noexcept { return tokens_.end(); }
  auto rbegin() const noexcept { return tokens_.rbegin(); }
  auto rend() const noexcept { return tokens_.rend(); }

 private:
  std::vector<std::uint64_t> tokens_;
};

struct Worker {
  WorkerId id = 0;
  wire::RoutingId peer;
  wire::Dialect dialect;
  WorkerState state = WorkerState::kReady;
  Doubt doubt = Doubt::kNone;
  std::optional<msg::CompositorId> compositor;  // of an agent
  std::string service;                          // that it registered or said READY for
  int credit = 1;                               // requests that may be outstanding
  bool idempotent = false;                      // what it did not answer before it died may be done again by another
  TokenSet outstanding;                         // requests
  Duration interval{};                          // agreed heartbeat interval, both directions
  int liveness = 3;
  Instant last_heard;
  Instant doubted_until;  // with kDisconnected: when asking ends
  TimerId heartbeat_timer = 0;
  TimerId silence_timer = 0;
  TimerId probe_timer = 0;
  std::list<WorkerId>* line = nullptr;  // of its service, in which it waits for work; none: it has no credit left
  std::list<WorkerId>::iterator place;  // in it
};

class WorkerTable {
 public:
  Worker& add(const wire::RoutingId& peer);  // `peer` must not be there yet
  void remove(WorkerId id);                  // its timers must be cancelled before
  Worker* find(WorkerId id);
  Worker* find(const wire::RoutingId& peer);
  std::size_t size() const noexcept { return workers_.size(); }
  const std::map<WorkerId, Worker>& all() const noexcept { return workers_; }
  std::map<WorkerId, Worker>& all() noexcept { return workers_; }

 private:
  std::map<WorkerId, Worker> workers_;  // ordered: what is done to all workers is done in one order
  std::unordered_map<wire::RoutingId, WorkerId> by_peer_;
  WorkerId last_id_ = 0;
};

}  // namespace compositord::broker
