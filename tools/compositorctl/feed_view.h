#pragma once
// What a subscriber knows of the fleet: a snapshot, kept current by the feed. A pure state machine: messages go in, changes
// and what to do next come out.
//
//   state        | event                               | next state, and what is asked for
//   -------------+-------------------------------------+---------------------------------------------------------
//   kNoHello     | our hello/<nonce>                   | kNoSnapshot, take_snapshot
//   kNoHello     | anything else                       | kNoHello: perhaps not all subscriptions are in force yet
//   kNoSnapshot  | snapshot of this epoch              | kLive
//   kNoSnapshot  | snapshot of another epoch           | kNoHello, start_handshake
//   both later   | a gap in a kind's seq               | kNoSnapshot, take_snapshot
//   both later   | another epoch                       | kNoHello, start_handshake
//   both later   | our hello/<nonce> again             | kNoHello, start_handshake: libzmq has connected anew and repeats
//                |                                     | its subscriptions, in no order that would prove anything
//
// Every kind that it is told of must be subscribed to as a whole, so that its seqs have no gaps, and bus/tick with them: it
// tells of what was lost at the end. Source: schemas/PROTOCOL.md "Feed".

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/msg/alert.h"
#include "common/msg/status.h"
#include "tools/compositorctl/feed_message.h"

namespace compositord::ctl {

struct StatusChange {
  msg::Status status;
  std::optional<msg::Status> before;  // none: it was not known
  UnixMs time;                        // of the message; of a snapshot's entry: since when its verdict holds
  std::uint64_t seq = 0;
  bool from_snapshot = false;
};

struct AlertChange {
  msg::Alert alert;
  std::uint64_t seq = 0;
};

struct FeedOutputs {
  std::vector<StatusChange> changes;
  std::vector<AlertChange> alerts;
  std::vector<std::string> notes;  // sentences for the user: what was healed, what was lost
  bool start_handshake = false;    // subscribe to a new hello/<nonce>, then call handshake_started()
  bool take_snapshot = false;      // ask bus.status snapshot, then call on_snapshot()
};

struct Snapshot {
  struct Entry {
    std::uint64_t seq = 0;
    msg::Status status;
  };
  std::uint64_t epoch = 0;
  std::vector<Entry> entries;
};

class FeedView {
 public:
  enum class State : std::uint8_t { kNoHello, kNoSnapshot, kLive };

  // `kinds`: "status", "alert", …
  explicit FeedView(const std::vector<std::string>& kinds);

  void handshake_started(std::string hello_topic);
  void on_message(const FeedMessage& message, FeedOutputs& out);
  void on_snapshot(const Snapshot& snapshot, FeedOutputs& out);

  State state() const noexcept { return state_; }
  std::uint64_t epoch() const noexcept { return epoch_; }  // 0: none seen yet

 private:
  void on_hello(const FeedMessage& message, FeedOutputs& out);
  void begin_again(FeedOutputs& out);
  void new_epoch(std::uint64_t epoch, FeedOutputs& out);
  // False when the message is older than what is known.
  bool follow_seq(const FeedMessage& message, FeedOutputs& out);
  void compare_seqs(const msg::Value& payload, FeedOutputs& out);
  void gap(const std::string& kind, std::uint64_t missed, FeedOutputs& out);
  void on_status(const FeedMessage& message, FeedOutputs& out);

  struct Entry {
    std::uint64_t seq = 0;
    msg::Status status;
  };
  State state_ = State::kNoHello;
  std::string hello_topic_;
  std::uint64_t epoch_ = 0;
  std::map<std::string, std::uint64_t> last_seqs_;  // of the kinds that are followed
  std::map<std::string, Entry> entries_;
};

// Whether a person would see a difference: verdict, reason, link, process, progress or an output's state.
bool looks_different(const msg::Status& a, const msg::Status& b);

// One page of bus.status snapshot. Errors: kMalformed.
struct SnapshotPage {
  Snapshot snapshot;
  std::optional<std::string> next;  // where the next page begins
};
Result<SnapshotPage> parse_snapshot_page(const msg::Value& result);

}  // namespace compositord::ctl
