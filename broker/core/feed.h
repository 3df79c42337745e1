#pragma once
// The feed: what is published, numbered. Source: schemas/TOPICS.md.
//
//   frame 0: topic · frame 1: header {epoch, kind, seq, time} · frame 2: payload
//
// MessagePack under `<topic>`; the same as JSON under `json/<topic>` as long as somebody is subscribed below json/.
// Each kind (the topic's first element) has a seq of its own, so that a subscriber of one kind sees no false gaps.

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "broker/core/broker_config.h"
#include "broker/core/counters.h"
#include "broker/core/outputs.h"
#include "common/base/instant.h"
#include "common/msg/value.h"

namespace compositord::broker {

enum class FeedKind : std::uint8_t { kStatus, kOutput, kManifest, kAlert, kBus, kHello };
inline constexpr std::array<std::string_view, 6> kFeedKindNames{"status", "output", "manifest",
                                                                "alert",  "bus",    "hello"};

class Feed {
 public:
  Feed(std::uint64_t epoch, const Limits& limits, Counters& counters)
      : epoch_(epoch), limits_(limits), counters_(counters) {}

  // Publishes under "<kind>/<rest>". Returns the seq it got.
  std::uint64_t publish(FeedKind kind, std::string_view rest, const msg::Value& payload, UnixMs now, Outputs& out);
  // A message that came in on the feed socket. A subscription to hello/… is answered on exactly that topic: whoever receives
  // it knows that this and all its earlier subscriptions are in force. False: it was no subscription.
  bool on_received(const wire::Frames& frames, UnixMs now, Outputs& out);

  void set_limits(const Limits& limits) noexcept { limits_ = limits; }
  std::uint64_t epoch() const noexcept { return epoch_; }
  // {"status": 12, "alert": 3, …}: the last seq of every kind.
  msg::Value seqs() const;

 private:
  void send(const std::string& topic, const msg::Value& header, const msg::Value& payload, bool json, Outputs& out);

  std::uint64_t epoch_;
  Limits limits_;
  Counters& counters_;
  std::array<std::uint64_t, kFeedKindNames.size()> seq_{};
  std::set<std::string> json_prefixes_;  // what is subscribed to at or below json/; "" alone asks for no twins
};

}  // namespace compositord::broker
