#pragma once
// The open requests: asked by a client, not yet ended. A request is waiting in its service's queue, or with a worker, or
// abandoned: ended towards its client (504) while its worker may still answer, so that the worker's credit stays taken.
//
//   state      | becomes    | when
//   -----------|------------|--------------------------------------------------------
//   –          | kWaiting   | a request that is accepted
//   kWaiting   | kWithWorker| a worker has credit
//   kWithWorker| kAbandoned | its deadline passed
//   kWithWorker| kWaiting   | its worker died and is idempotent: once
//   any        | –          | answered, refused, expired in the queue, worker gone

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "broker/core/timer_queue.h"
#include "broker/core/worker_table.h"
#include "common/base/result.h"
#include "common/msg/envelope.h"
#include "common/wire/mdp.h"

namespace compositord::broker {

using RequestToken = std::uint64_t;  // the "client address" that a worker sees; 0 is none

enum class RequestState : std::uint8_t { kWaiting, kWithWorker, kAbandoned };

// On whose behalf a request is made: for a peer of the bus, or for a part of the broker that is told the outcome in its
// place (Majordomo::take_outcomes).
enum class Origin : std::uint8_t { kPeer, kJob, kGroupCall, kIdempotentCall };

// Who asked, and how an answer to it must look.
struct Client {
  wire::RoutingId peer;  // empty for what the broker does by itself: it counts for no peer's limits
  wire::Dialect dialect;
  std::string service;
  Origin origin = Origin::kPeer;
  std::uint64_t key = 0;  // which job or call, unless it is a peer's own
  bool once = false;      // never given to a second worker, also of a service that is idempotent
};

// What is known, when a request has ended, of whether it was carried out.
enum class Carried : std::uint8_t { kAnswered, kNo, kUnknown };

// What became of a request that the broker made by itself.
struct Outcome {
  Origin origin = Origin::kJob;
  std::uint64_t key = 0;
  bool final = true;
  Carried carried = Carried::kAnswered;
  wire::Frames body;  // the worker's, with kAnswered
  Error error;        // otherwise
};

// What makes a request a Layer-1 call: it can be answered with a status.
struct CallMark {
  msg::Encoding encoding = msg::Encoding::kMsgpack;
  msg::Value id;
};

struct Service;  // service_table.h

// What one client has open.
struct ClientUse {
  std::size_t requests = 0;
  std::size_t waiting_bytes = 0;
};

struct OpenRequest {
  RequestToken token = 0;
  RequestState state = RequestState::kWaiting;
  Client client;
  ClientUse* use = nullptr;      // the client's; none for the broker's own, and when it has its answer
  Service* service = nullptr;    // stays as long as it has a request: that one waits in it, or is with a worker of it
  std::optional<CallMark> call;  // none: a plain MDP request
  wire::Frames body;             // while waiting, and at an idempotent worker
  std::size_t bytes = 0;         // of the body, as wire::held_bytes() counts
  Instant arrived;
  Instant dispatched;      // unless waiting
  bool streamed = false;   // a PARTIAL was passed on
  bool retried = false;    // it was given back to the queue once
  bool body_kept = false;  // at a worker, so that it can be given back
  WorkerId worker = 0;     // unless waiting
  TimerId deadline_timer = 0;
  std::list<RequestToken>::iterator queue_place;  // while waiting
};

class RequestTable {
 public:
  // Each run of the broker has tokens of its own: a worker may answer one that an earlier run has given it.
  explicit RequestTable(std::uint64_t epoch) noexcept : last_token_(epoch << 32U) {}
  OpenRequest& add(Client client);
  void remove(RequestToken token);  // its timer must be cancelled before
  // The client has its answer: it may open another request, though the worker may still be busy with this one.
  void release_client(OpenRequest& request);
  // Accounts for a body that is kept while a worker has the request. False: all kept bodies together would be over the
  // maximum.
  [[nodiscard]] bool keep_body(OpenRequest& request, std::size_t kept_bytes_max);
  void release_body(OpenRequest& request);
  OpenRequest* find(RequestToken token);
  std::size_t size() const noexcept { return requests_.size(); }
  // Nothing for the broker's own.
  ClientUse use_of(const wire::RoutingId& client) const;
  // A request has begun or ceased to wait in a queue.
  static void add_waiting(const OpenRequest& request);
  static void remove_waiting(const OpenRequest& request);
  const std::unordered_map<RequestToken, OpenRequest>& all() const noexcept { return requests_; }

 private:
  std::unordered_map<RequestToken, OpenRequest> requests_;
  std::unordered_map<wire::RoutingId, ClientUse> by_client_;
  std::size_t kept_bytes_ = 0;
  RequestToken last_token_;
};

// A token as the bytes of an MDP client address, and back (0 when it is none of ours).
std::string address_of(RequestToken token);
RequestToken token_of(std::string_view address) noexcept;

}  // namespace compositord::broker
