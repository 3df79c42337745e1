#pragma once
// One message of the feed: [topic][header {epoch, kind, seq, time}][payload]. Source: schemas/TOPICS.md.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/msg/value.h"
#include "common/wire/frames.h"

namespace compositord::feed {

inline constexpr std::string_view kJsonTopicPrefix = "json/";
inline constexpr std::string_view kHelloPrefix = "hello/";
inline constexpr std::string_view kTickTopic = "bus/tick";

struct FeedMessage {
  std::string topic;
  std::uint64_t epoch = 0;
  std::string kind;
  std::uint64_t seq = 0;
  UnixMs time;
  msg::Value header;  // whole, with what this library doesn't know
  msg::Value payload;
};

// Errors: kMalformed, what is wrong with which frame.
Result<FeedMessage> parse_feed_message(const wire::Frames& frames);

}  // namespace compositord::feed
