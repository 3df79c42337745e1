#pragma once
// Everything that can happen to the broker's core. The loop makes these; a trace records them; tests write them by hand.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "broker/core/broker_config.h"
#include "broker/core/record.h"
#include "broker/core/store_query.h"
#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/wire/frames.h"

namespace compositord::broker {

enum class SendError : std::uint8_t {
  kUnreachable,  // the connection with that routing id is gone for good
  kFull,         // its high-water mark is reached
  kFailed,
};

namespace input {

// One whole message from the bus, within the size limits.
struct Received {
  wire::RoutingId peer;
  wire::Frames frames;
};
// A message that broke a size limit; its bytes are gone.
struct TooLarge {
  wire::RoutingId peer;
};
// A Send of an earlier step that could not be made.
struct SendFailed {
  wire::RoutingId peer;
  SendError error = SendError::kFailed;
  std::uint64_t request = 0;  // the Send's
};
// This peer's connection is closed, and all that came on it was told before.
struct Disconnected {
  wire::RoutingId peer;
};
// A connection to the bus was ended, or not taken, because of what it did or that it came.
struct ConnectionRefused {
  std::string why;  // who and why, for people
};
// How much the bus's sockets keep: whenever it has changed, once a second at most.
struct BusLoad {
  std::uint64_t connections = 0;
  std::uint64_t send_bytes = 0;      // that wait for peers to read
  std::uint64_t incoming_bytes = 0;  // of messages that are not complete
  friend bool operator==(const BusLoad&, const BusLoad&) noexcept = default;
};
// A message on the feed socket: a subscription (01 or 00, then the prefix) or anything else that somebody sent.
struct FeedReceived {
  wire::Frames frames;
};
// Subscribers of the feed do not keep up. Once a second while it is so.
struct FeedDropped {
  // How often a publication found a subscriber's queue full since the last of these. What that subscriber loses after it, until
  // it reads again, nobody counts.
  std::uint64_t overflows = 0;
  std::uint64_t blocked = 0;       // connections that take nothing at the moment
  std::vector<std::string> peers;  // whose they are, for people: the first of them
};
// A StoreWrite ended.
struct StoreDone {
  std::uint64_t commit_id = 0;
  Result<void> result;
};
// Once at the start, then whenever it changes.
using StoreFile = StoreFileNews;
// What became of a notice at one of those who are told. Once for each notice and each of them.
struct NoticeEnded {
  std::string dedupe;
  std::string notifier;
  bool delivered = false;
  int attempts = 0;
  std::string error;  // why not
};
// People were told of an alert's change, or everything was tried.
struct NoticeDone {
  std::string alert;
  std::uint64_t change = 0;
};
// A StoreRead ended.
struct StoreAnswered {
  std::uint64_t read_id = 0;
  Result<StoreRows> result;
};
// The configuration was read again: as Outputs::reloads wanted it, or because of SIGHUP. The whole of it was right and the loop
// has taken its part of it; or an error, and nothing has changed.
struct Reloaded {
  struct Taken {
    BrokerConfig config;
    std::vector<std::string> applied;  // keys that changed
    std::vector<std::string> restart;  // keys that differ and need a restart
  };
  std::uint64_t reload_id = 0;  // 0: nobody waits for an answer
  Result<Taken> result;
};
// What the calendar says, as an offset to the monotonic clock. Once before anything else, then whenever it has jumped.
struct CalendarSet {
  std::int64_t unix_ms_at_origin = 0;
};
// The loop was late by this much: it, and not its peers, was silent.
struct Stalled {
  Duration lateness{};
};
// Time has passed: after the messages of a turn.
struct Tick {
  Duration busy{};  // what the turn before this one took, from waking up to having done everything
  Duration late{};  // how long after its time this turn began
};

// The broker is about to end: whoever waits for an answer shall have one. After it come, for a short while, only the ends of what the
// core has asked of its surroundings: StoreDone, StoreAnswered, NoticeEnded, NoticeDone.
struct Stopping {};

}  // namespace input

using Input = std::variant<input::Received, input::TooLarge, input::SendFailed, input::Disconnected,
                           input::FeedReceived, input::FeedDropped, input::StoreDone, input::StoreAnswered,
                           input::StoreFile, input::NoticeEnded, input::NoticeDone, input::Reloaded, input::CalendarSet,
                           input::Stalled, input::Tick, input::ConnectionRefused, input::BusLoad, input::Stopping>;

}  // namespace compositord::broker
