#pragma once
// What the broker has counted since it started. Nothing is dropped in silence: each kind of loss has a counter.

#include <cstdint>

#include "common/msg/value.h"

namespace compositord::broker {

struct Counters {
  std::uint64_t messages_received = 0;
  std::uint64_t requests_received = 0;  // the kinds of messages, from here …
  std::uint64_t readies_received = 0;
  std::uint64_t partials_received = 0;
  std::uint64_t finals_received = 0;
  std::uint64_t heartbeats_received = 0;
  std::uint64_t disconnects_received = 0;
  std::uint64_t partials_sent = 0;
  std::uint64_t finals_sent = 0;
  std::uint64_t heartbeats_sent = 0;
  std::uint64_t disconnects_sent = 0;  // … to here; requests_routed are those sent to workers
  std::uint64_t messages_malformed = 0;
  std::uint64_t messages_too_large = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t commands_unexpected = 0;  // valid, but not from this peer in this state
  std::uint64_t sends_failed = 0;
  std::uint64_t sends_full = 0;  // of them: the peer did not read
  std::uint64_t feed_messages_malformed = 0;
  std::uint64_t feed_published = 0;
  std::uint64_t feed_overflows = 0;  // a subscriber's queue was full: it loses this message, and more until it reads
  std::uint64_t requests_routed = 0;
  std::uint64_t requests_refused = 0;   // answered at once with a status that is no success
  std::uint64_t requests_expired = 0;   // 504, or a plain request that no worker took in time
  std::uint64_t requests_orphaned = 0;  // their worker died: 410, or dropped when plain
  std::uint64_t requests_retried = 0;   // their worker died, and another gets them: idempotent services only
  std::uint64_t replies_late = 0;       // to a request that had already ended
  std::uint64_t partials_dropped = 0;   // for clients that speak 0.1, which has none
  std::uint64_t jobs_queued = 0;
  std::uint64_t jobs_retried = 0;  // an attempt that was not carried out, or may be made again
  std::uint64_t jobs_expired = 0;  // never begun within their time to live
  std::uint64_t jobs_ended = 0;
  std::uint64_t idem_repeated = 0;  // calls that were answered with the outcome of an earlier one
  std::uint64_t group_calls = 0;
  std::uint64_t agents_registered = 0;
  std::uint64_t agents_lost = 0;
  std::uint64_t agents_taken_over = 0;
  std::uint64_t workers_registered = 0;  // by bus.agent or bus.worker
  std::uint64_t workers_ready = 0;
  std::uint64_t workers_lost = 0;
  std::uint64_t alerts_fired = 0;
  std::uint64_t alerts_resolved = 0;
  std::uint64_t store_failures = 0;
  std::uint64_t notices_delivered = 0;  // an alert's change told to one of those who are told
  std::uint64_t notices_failed = 0;     // given up: a dead letter
  std::uint64_t log_events_suppressed = 0;
  std::uint64_t stalls = 0;
};

// All counters by their names.
msg::Value to_value(const Counters& counters);

}  // namespace compositord::broker
