#pragma once
// What a subscriber knows of the fleet: a snapshot, kept current by the feed. A pure state machine: messages and snapshots go
// in, changes and what to do next come out. It heals gaps and restarts of the broker by itself.
//
//   state        | event                               | next state, and what is asked for
//   -------------+-------------------------------------+---------------------------------------------------------
//   kNoHello     | our hello/<nonce>                   | kNoSnapshot, take_snapshot
//   kNoHello     | anything else                       | kNoHello: perhaps not all subscriptions are in force yet
//   kNoSnapshot  | snapshot with all that was missed   | kLive
//   kNoSnapshot  | snapshot from before the last gap   | kNoSnapshot, take_snapshot
//   kNoSnapshot  | snapshot of another epoch           | kNoHello, start_handshake
//   both later   | a gap in a kind's seq               | kNoSnapshot, take_snapshot
//   both later   | another epoch                       | kNoHello, start_handshake
//   both later   | our hello/<nonce> again             | kNoHello, start_handshake: libzmq has connected anew and repeats
//                |                                     | its subscriptions, in no order that would prove anything
//
// Every kind that it is told of must be subscribed to as a whole, so that its seqs have no gaps, and bus/tick with them: it
// tells of what was lost at the end. Use, with a Subscriber:
//
//   kHandshake            → handshake_started(subscriber.hello_topic())
//   kMessage              → on_message(subscriber.message(), out)
//   out.start_handshake   → handshake_started(subscriber.start_handshake())
//   out.take_snapshot     → ask the bus for the tables of its kinds (snapshot.h), then on_snapshot(); when there was no
//                           answer, again later: it is wanted for as long as the state is kNoSnapshot
//
// Source: schemas/PROTOCOL.md "Feed".

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/feed/feed_message.h"
#include "common/feed/snapshot.h"
#include "common/msg/alert.h"
#include "common/msg/status.h"

namespace compositord::feed {

struct StatusChange {
  msg::Status status;
  std::optional<msg::Status> before;  // none: it was not known
  UnixMs time;                        // of the message; of a snapshot's entry: since when its verdict holds
  std::uint64_t seq = 0;
  bool from_snapshot = false;
};

struct AlertChange {
  msg::Alert alert;
  std::uint64_t seq = 0;  // 0 from a snapshot
  bool from_snapshot = false;
};

struct FeedOutputs {
  std::vector<StatusChange> changes;
  std::vector<AlertChange> alerts;  // each change of an alert once: repetitions are left out
  // What a snapshot has not any more: compositors that the broker has forgotten, and alerts that ended while we did not
  // listen (how, `bus.alert get` tells).
  std::vector<std::string> forgotten;
  std::vector<msg::Alert> ended;
  std::vector<std::string> notes;  // sentences for the user: what was healed, what was lost
  bool start_handshake = false;    // subscribe to a new hello/<nonce>, then call handshake_started()
  bool take_snapshot = false;      // ask the bus, then call on_snapshot()
};

// How much of what was published the view has.
struct Completeness {
  // All that was published until `up_to`, and all that came since. False: what came after `up_to` may be missing.
  bool complete = false;
  std::uint64_t epoch = 0;  // 0: there was never a snapshot, and the view is empty
  Seqs seqs;                // of the followed kinds, at `up_to`
  UnixMs up_to;             // on the broker's calendar: a hello or tick proved it
};

class FeedView {
 public:
  enum class State : std::uint8_t { kNoHello, kNoSnapshot, kLive };
  // What is over a limit is not kept, and the view is not complete. The defaults are above what a broker has.
  struct Limits {
    std::size_t statuses_max = 1'000'000;
    std::size_t alerts_max = 1'000'000;
  };
  using Statuses = std::map<std::string, Snapshot::Entry, std::less<>>;  // by id
  struct FiringAlert {
    std::uint64_t seq = 0;  // of its last change; 0: known from a snapshot, or since an earlier epoch
    msg::Alert alert;
  };
  using Alerts = std::map<std::string, FiringAlert, std::less<>>;  // by Alert::alert

  // `kinds`: "status", "alert", … Of these two it keeps a table; of others it sees the gaps.
  explicit FeedView(const std::vector<std::string>& kinds) : FeedView(kinds, Limits()) {}
  FeedView(const std::vector<std::string>& kinds, Limits limits);

  void handshake_started(std::string hello_topic);
  void on_message(const FeedMessage& message, FeedOutputs& out);
  // Ignored when none is wanted.
  void on_snapshot(const Snapshot& snapshot, FeedOutputs& out);

  State state() const noexcept { return state_; }
  std::uint64_t epoch() const noexcept { return epoch_; }  // 0: none seen yet
  Completeness completeness() const;
  const Statuses& statuses() const noexcept { return statuses_; }
  const Alerts& alerts() const noexcept { return alerts_; }

 private:
  void on_hello(const FeedMessage& message, FeedOutputs& out);
  void begin_again(FeedOutputs& out);
  void new_epoch(std::uint64_t epoch, FeedOutputs& out);
  // False when the message is older than what is known.
  bool follow_seq(const FeedMessage& message, FeedOutputs& out);
  void compare_seqs(const FeedMessage& tick, FeedOutputs& out);
  void gap(const std::string& kind, std::uint64_t missed, std::uint64_t last, FeedOutputs& out);
  void proved(UnixMs time);
  void on_status(const FeedMessage& message, FeedOutputs& out);
  void on_alert(const FeedMessage& message, FeedOutputs& out);
  void take_statuses(const Snapshot& snapshot, FeedOutputs& out);
  void take_alerts(const Snapshot& snapshot, FeedOutputs& out);
  // Takes over a change, unless it is none.
  void apply(AlertChange&& change, FeedOutputs& out);
  void unreadable(std::string_view what, std::string_view why, FeedOutputs& out);

  Limits limits_;
  State state_ = State::kNoHello;
  std::string hello_topic_;
  std::uint64_t epoch_ = 0;
  Seqs last_seqs_;    // of the kinds that are followed
  Seqs missed_;       // up to here a snapshot must reach
  UnixMs proved_at_;  // the last hello or tick: what was published until then was received, or is in missed_
  Completeness complete_;
  bool left_out_ = false;  // since the last snapshot: something that could not be understood, or kept
  Statuses statuses_;
  Alerts alerts_;
  std::set<std::string, std::less<>> ended_;  // while a snapshot is under way, which may still have them firing
};

// Whether a person would see a difference: verdict, reason, link, process, progress or an output's state.
bool looks_different(const msg::Status& a, const msg::Status& b);

}  // namespace compositord::feed
