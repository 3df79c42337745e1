#include "broker/config/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace compositord::broker {

namespace {

bool is_port(std::string_view text) {
  if (text == "*") return true;
  unsigned port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && port <= 65'535;
}

bool has_blank_or_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
}

// `address` is what follows tcp://
std::string tcp_fault(std::string_view address) {
  const bool is_bracketed = address.starts_with('[');
  const std::size_t bracket = address.find(']');
  if (is_bracketed && bracket == std::string_view::npos) return "the bracket of its IPv6 address is not closed";
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || (is_bracketed && colon < bracket)) {
    return fmt::format("it has no port: write tcp://{}:7755, or tcp://{}:* for a free one", address, address);
  }
  const std::string_view host = address.substr(0, colon);
  const std::string_view port = address.substr(colon + 1);
  if (host.empty()) return "it has no address: write tcp://127.0.0.1:…, or tcp://*:… for all interfaces";
  if (!is_bracketed && host.find(':') != std::string_view::npos) {
    return fmt::format("an IPv6 address stands in brackets: tcp://[{}]:{}", host, port);
  }
  if (is_bracketed && bracket + 1 != host.size()) return "between the bracket and the port there is only a colon";
  if (host.find('/') != std::string_view::npos) return "an address has no slash";
  if (!is_port(port)) return fmt::format("\"{}\" is no port: a number up to 65535, or * for a free one", port);
  return {};
}

std::string ipc_fault(std::string_view path) {
  if (path == "*") return {};  // a name that is made up
  if (path.empty()) return "it has no path: write ipc:///run/…";
  if (path.size() > kIpcPathBytesMax) {
    return fmt::format("its path has {} bytes, and a socket's path may have {}", path.size(), kIpcPathBytesMax);
  }
  if (path.starts_with('@')) return path.size() > 1 ? "" : "an abstract socket has a name after the @";
  if (!path.starts_with('/'))
    return "its path must begin with a slash, so that it does not depend on where the broker is started";
  if (path.ends_with('/')) return "its path ends in a slash: it must name a file";
  return {};
}

}  // namespace

std::string endpoint_fault(std::string_view endpoint) {
  constexpr std::string_view kTcp = "tcp://";
  constexpr std::string_view kIpc = "ipc://";
  if (endpoint.starts_with(kIpc)) return ipc_fault(endpoint.substr(kIpc.size()));
  if (has_blank_or_control(endpoint)) return "an endpoint has no blanks";
  if (endpoint.starts_with(kTcp)) return tcp_fault(endpoint.substr(kTcp.size()));
  return "an endpoint begins with tcp:// or ipc://";
}

}  // namespace compositord::broker
