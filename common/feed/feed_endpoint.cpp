#include "common/feed/feed_endpoint.h"

#include <optional>

#include <fmt/format.h>

namespace compositord::feed {

namespace {

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

}  // namespace

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

}  // namespace compositord::feed
