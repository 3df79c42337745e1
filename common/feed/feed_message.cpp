#include "common/feed/feed_message.h"

#include <utility>

#include <fmt/format.h>

#include "common/msg/fields.h"

namespace compositord::feed {

namespace {

struct Header {
  std::uint64_t epoch = 0;
  std::string kind;
  std::uint64_t seq = 0;
  UnixMs time;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("epoch", m.epoch);
    v("kind", m.kind);
    v("seq", m.seq);
    v("time", m.time);
  }
};

Result<msg::Value> decode(std::string_view what, std::string_view bytes, bool json) {
  Result<msg::Value> value = json ? msg::decode_json(bytes) : msg::decode_msgpack(bytes);
  if (!value) return fail(value.error().status, fmt::format("{}: {}", what, value.error().text));
  return value;
}

}  // namespace

Result<FeedMessage> parse_feed_message(const wire::Frames& frames) {
  if (frames.size() != 3) {
    return fail(Status::kMalformed, fmt::format("a feed message has 3 frames, this one {}", frames.size()));
  }
  FeedMessage message;
  message.topic = frames[0].str();
  const bool json = message.topic.starts_with(kJsonTopicPrefix);
  Result<msg::Value> header = decode("header", frames[1], json);
  if (!header) return tl::unexpected<Error>(header.error());
  Result<Header> known = msg::from_value<Header>(*header);
  if (!known) return fail(Status::kMalformed, "header: " + known.error().text);
  Result<msg::Value> payload = decode("payload", frames[2], json);
  if (!payload) return tl::unexpected<Error>(payload.error());
  message.epoch = known->epoch;
  message.kind = std::move(known->kind);
  message.seq = known->seq;
  message.time = known->time;
  message.header = std::move(*header);
  message.payload = std::move(*payload);
  return message;
}

}  // namespace compositord::feed
