#include "agent/dbus/bus_address.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

#include <fmt/format.h>

#include "agent/process/process_environment.h"
#include "common/base/log_event.h"

namespace compositord::agent::dbus {

namespace {

constexpr std::string_view kBusVariable = "DBUS_SESSION_BUS_ADDRESS";
constexpr std::string_view kSystemBusVariable = "DBUS_SYSTEM_BUS_ADDRESS";
constexpr std::string_view kSystemBus = "unix:path=/run/dbus/system_bus_socket";
constexpr std::string_view kRuntimeVariable = "XDG_RUNTIME_DIR";

// "%2f" -> "/". Nothing when an escape is broken.
std::optional<std::string> unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    unsigned byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2 || byte == 0) return std::nullopt;
    plain += static_cast<char>(byte);
    i += 2;
  }
  return plain;
}

// The value of `key` among "key=value,key=value"; nothing when it isn't there.
std::optional<std::string_view> value_of(std::string_view pairs, std::string_view key) {
  while (!pairs.empty()) {
    const std::string_view pair = pairs.substr(0, pairs.find(','));
    if (pair.size() > key.size() && pair.starts_with(key) && pair[key.size()] == '=')
      return pair.substr(key.size() + 1);
    pairs.remove_prefix(std::min(pairs.size(), pair.size() + 1));
  }
  return std::nullopt;
}

std::optional<std::string> socket_of(std::string_view address) {
  constexpr std::string_view kUnix = "unix:";
  if (!address.starts_with(kUnix)) return std::nullopt;
  address.remove_prefix(kUnix.size());
  if (const auto path = value_of(address, "path")) {
    auto plain = unescape(*path);
    return plain && plain->starts_with('/') ? plain : std::nullopt;
  }
  const auto name = value_of(address, "abstract");
  const auto plain = name ? unescape(*name) : std::nullopt;
  return plain && !plain->empty() ? std::optional("@" + *plain) : std::nullopt;
}

std::optional<std::string_view> variable(std::string_view environment, std::string_view name) {
  while (!environment.empty()) {
    const std::string_view entry = environment.substr(0, environment.find('\0'));
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
    environment.remove_prefix(std::min(environment.size(), entry.size() + 1));
  }
  return std::nullopt;
}

}  // namespace

Result<BusAddress> parse_bus_address(std::string_view list) {
  std::string_view rest = list;
  while (!rest.empty()) {
    const std::string_view address = rest.substr(0, rest.find(';'));
    if (auto socket = socket_of(address)) return BusAddress{std::string(address), std::move(*socket)};
    rest.remove_prefix(std::min(rest.size(), address.size() + 1));
  }
  return fail(Status::kUnsupported, fmt::format("the bus \"{}\" is not used: only unix:path= and unix:abstract= are",
                                                escape_for_log(list, 128)));
}

Result<BusAddress> bus_address_in(std::string_view environment) {
  if (const auto list = variable(environment, kBusVariable)) return parse_bus_address(*list);
  const auto directory = variable(environment, kRuntimeVariable);
  if (!directory || !directory->starts_with('/')) {
    return fail(Status::kNotFound,
                fmt::format("no session bus: neither {} nor {} is set", kBusVariable, kRuntimeVariable));
  }
  const std::string path = std::string(*directory) + "/bus";
  // What would have to be escaped in an address is not worth a second way of writing it.
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-_/.").find(c) != std::string_view::npos;
  };
  if (!std::all_of(path.begin(), path.end(), plain)) {
    return fail(Status::kUnsupported,
                fmt::format("the session bus {} is not used: set {}", escape_for_log(path), kBusVariable));
  }
  return BusAddress{"unix:path=" + path, path};
}

Result<BusAddress> system_bus_address_in(std::string_view environment) {
  return parse_bus_address(variable(environment, kSystemBusVariable).value_or(kSystemBus));
}

std::string own_bus_environment() {
  std::string environment;
  for (const std::string_view name : {kBusVariable, kRuntimeVariable, kSystemBusVariable}) {
    const char* value = std::getenv(std::string(name).c_str());
    if (value != nullptr) environment += fmt::format("{}={}", name, value) + '\0';
  }
  return environment;
}

Result<BusAddress> find_session_bus(const Peer& compositor, const std::string& own_environment) {
  const auto environment = environment_of(compositor);
  return bus_address_in(environment ? *environment : own_environment);
}

}  // namespace compositord::agent::dbus
