#include "tools/compositorctl/feed_message.h"

#include <optional>

#include <fmt/format.h>

#include "common/msg/fields.h"

namespace compositord::ctl {

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

// tcp://HOST:PORT in its parts; the host of an IPv6 address keeps its brackets.
struct TcpEndpoint {
  std::string host;
  std::string port;
};

std::optional<TcpEndpoint> parse_tcp(std::string_view endpoint) {
  constexpr std::string_view kTcp = "tcp://";
  if (!endpoint.starts_with(kTcp)) return std::nullopt;
  endpoint.remove_prefix(kTcp.size());
  // zmq_tcp(7): "source;destination" names a local address first.
  if (const std::size_t local = endpoint.rfind(';'); local != std::string_view::npos) endpoint.remove_prefix(local + 1);
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return TcpEndpoint{std::string(endpoint.substr(0, colon)), std::string(endpoint.substr(colon + 1))};
}

bool is_every_address(std::string_view host) {
  return host == "*" || host == "0.0.0.0" || host == "[::]" || host == "::";
}

std::string_view transport_of(std::string_view endpoint) { return endpoint.substr(0, endpoint.find("://")); }

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

Result<std::string> choose_feed(std::string_view bus_endpoint, const std::vector<std::string>& feed_endpoints) {
  const std::optional<TcpEndpoint> bus = parse_tcp(bus_endpoint);
  std::optional<std::string> of_every_address;
  std::optional<std::string> other;
  std::string known;
  for (const std::string& endpoint : feed_endpoints) {
    known += (known.empty() ? "" : ", ") + endpoint;
    if (transport_of(endpoint) != transport_of(bus_endpoint)) continue;
    const std::optional<TcpEndpoint> feed = parse_tcp(endpoint);
    if (bus && feed && feed->host == bus->host) return endpoint;
    if (bus && feed && is_every_address(feed->host)) {
      if (!of_every_address) of_every_address = fmt::format("tcp://{}:{}", bus->host, feed->port);
    } else if (!other) {
      other = endpoint;
    }
  }
  if (of_every_address) return *of_every_address;
  if (other) return *other;
  return fail(Status::kNotFound, fmt::format("the broker at {} has no feed over {} (it has {}); name one with --feed",
                                             bus_endpoint, transport_of(bus_endpoint), known.empty() ? "none" : known));
}

}  // namespace compositord::ctl
