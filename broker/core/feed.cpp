#include "broker/core/feed.h"

namespace compositord::broker {

namespace {

constexpr std::string_view kJson = "json/";
constexpr std::string_view kHello = "hello/";
constexpr std::size_t kHelloTopicBytesMax = 64;

}  // namespace

std::uint64_t Feed::publish(FeedKind kind, std::string_view rest, const msg::Value& payload, UnixMs now, Outputs& out) {
  const auto index = static_cast<std::size_t>(kind);
  const std::string_view name = kFeedKindNames[index];
  const std::uint64_t seq = ++seq_[index];
  const msg::Value header = msg::Value::map({{"epoch", epoch_}, {"kind", name}, {"seq", seq}, {"time", now.ms}});
  const std::string topic = std::string(name) + "/" + std::string(rest);
  send(topic, header, payload, false, out);
  if (!json_prefixes_.empty()) send(topic, header, payload, true, out);
  return seq;
}

void Feed::send(const std::string& topic, const msg::Value& header, const msg::Value& payload, bool json,
                Outputs& out) {
  ++counters_.feed_published;
  if (json) {
    out.publishes.push_back({std::string(kJson) + topic, msg::encode_json(header), msg::encode_json(payload)});
  } else {
    out.publishes.push_back({topic, msg::encode_msgpack(header), msg::encode_msgpack(payload)});
  }
}

bool Feed::on_received(const wire::Frames& frames, UnixMs now, Outputs& out) {
  if (frames.size() != 1 || frames[0].empty() || static_cast<unsigned char>(frames[0][0]) > 1) return false;
  const bool subscribed = frames[0][0] == 1;
  const std::string prefix(frames[0].view().substr(1));
  if (!prefix.empty() && (prefix.starts_with(kJson) || kJson.starts_with(prefix))) {
    if (!subscribed) {
      json_prefixes_.erase(prefix);
    } else if (json_prefixes_.size() < limits_.feed_prefixes_max) {
      json_prefixes_.insert(prefix);
    }
  }
  const bool json = prefix.starts_with(kJson);
  const std::string topic = json ? prefix.substr(kJson.size()) : prefix;
  if (!subscribed || !topic.starts_with(kHello) || topic.size() > kHelloTopicBytesMax) return true;
  // Numbered like any other kind, though each hello is of interest to one subscriber only.
  const std::uint64_t seq = ++seq_[static_cast<std::size_t>(FeedKind::kHello)];
  const msg::Value header = msg::Value::map({{"epoch", epoch_}, {"kind", "hello"}, {"seq", seq}, {"time", now.ms}});
  send(topic, header, msg::Value::map({{"epoch", epoch_}, {"seqs", seqs()}}), json, out);
  return true;
}

msg::Value Feed::seqs() const {
  msg::Value map = msg::Value::map();
  for (std::size_t i = 0; i < seq_.size(); ++i) map.set(kFeedKindNames[i], seq_[i]);
  return map;
}

}  // namespace compositord::broker
