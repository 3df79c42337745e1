#pragma once
// Everything that can happen to the broker's core. The loop makes these; a trace records them; tests write them by hand.

#include <cstdint>
#include <string>
#include <variant>

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
// The socket monitor says that the connection on which this peer was last heard is closed. A hint, not a proof: the
// kernel reuses descriptors.
struct Disconnected {
  wire::RoutingId peer;
};
// A message on the feed socket: a subscription (01 or 00, then the prefix) or anything else that somebody sent.
struct FeedReceived {
  wire::Frames frames;
};
// A StoreWrite ended.
struct StoreDone {
  std::uint64_t commit_id = 0;
  Result<void> result;
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

}  // namespace input

using Input = std::variant<input::Received, input::TooLarge, input::SendFailed, input::Disconnected,
                           input::FeedReceived, input::StoreDone, input::CalendarSet, input::Stalled, input::Tick>;

}  // namespace compositord::broker
