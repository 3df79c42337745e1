#include "agent/dbus/bus_connector.h"

#include <pthread.h>
#include <sdbus-c++/sdbus-c++.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "agent/dbus/bus_address.h"
#include "agent/process/file_descriptor.h"
#include "agent/wayland/connected_display.h"
#include "common/base/log_event.h"

namespace compositord::agent::dbus {

namespace {

constexpr std::string_view kBusName = "org.freedesktop.DBus";
// The bus's own signals have at most three texts: the name, its old owner, its new owner.
constexpr std::size_t kArgumentsMax = 3;

Result<std::string> read_line(int socket, Duration limit) {
  std::string line;
  std::array<char, 256> buffer{};
  while (line.find("\r\n") == std::string::npos) {
    pollfd readable{socket, POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(to_ms(limit))) != 1) {
      return fail(Status::kNotConnected, "it does not answer");
    }
    const ssize_t n = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n <= 0) return fail(Status::kNotConnected, "it hung up before it greeted us");
    line.append(buffer.data(), static_cast<std::size_t>(n));
    if (line.size() > buffer.size()) return fail(Status::kNotConnected, "it does not answer as a D-Bus server does");
  }
  return line;
}

void read_arguments(sdbus::Message& message, BusSignal& signal) {
  for (std::size_t i = 0; i < kArgumentsMax && !message.isEmpty(); ++i) {
    std::string text;
    message >> text;
    signal.arguments.push_back(std::move(text));
  }
}

void read_number(sdbus::Message& message, BusSignal& signal) {
  std::string type;
  std::string contents;
  message.peekType(type, contents);
  std::uint32_t number = 0;
  if (type != "u") return;
  message >> number;
  signal.number = number;
}

void put_into(SignalInbox& inbox, sdbus::Message& message) {
  BusSignal signal{message.getSender(), message.getInterfaceName(), message.getMemberName(), {}, message.getPath()};
  if (signal.sender == kBusName) {
    read_arguments(message, signal);
  } else {
    read_number(message, signal);
  }
  inbox.push_back(std::move(signal));
}

Result<BusConnection> connect(const Peer& compositor, Bus bus, const std::string& own_environment,
                              const std::vector<std::string>& match_rules) {
  const auto address =
      bus == Bus::kSystem ? system_bus_address_in(own_environment) : find_session_bus(compositor, own_environment);
  const std::string_view kind = bus == Bus::kSystem ? "system" : "session";
  if (!address) return tl::unexpected(address.error());
  if (auto greeted = greet_bus(address->socket_path, BusConnector::kGreetingTime); !greeted) {
    return fail(greeted.error().status,
                fmt::format("the {} bus {}: {}", kind, escape_for_log(address->text, 128), greeted.error().text));
  }
  try {
    BusConnection made;
    made.inbox = std::make_unique<SignalInbox>();
    made.address = address->text;
    made.connection.reset(sdbus::createSessionBusConnectionWithAddress(address->text).release());
    for (const std::string& rule : match_rules) {
      const auto take = [inbox = made.inbox.get()](sdbus::Message& message) { put_into(*inbox, message); };
      made.connection->addMatch(rule, take, sdbus::floating_slot);
    }
    return made;
  } catch (const sdbus::Error& error) {
    return fail(Status::kNotConnected, fmt::format("the {} bus {}: {}", kind, escape_for_log(address->text, 128),
                                                   escape_for_log(error.getMessage())));
  }
}

}  // namespace

void CloseAtOnce::operator()(sdbus::IConnection* connection) const noexcept {
  try {
    ::shutdown(connection->getEventLoopPollData().fd, SHUT_RDWR);
  } catch (const sdbus::Error&) {
    // It is closed already.
  }
  delete connection;
}

Result<void> greet_bus(const std::string& socket_path, Duration limit) {
  auto socket = connect_unix(socket_path);
  if (!socket) return tl::unexpected(socket.error());
  std::string hex;
  for (const char digit : std::to_string(::geteuid())) hex += fmt::format("{:02x}", digit);
  const std::string request = std::string(1, '\0') + "AUTH EXTERNAL " + hex + "\r\n";
  if (::send(socket->get(), request.data(), request.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    return fail(Status::kNotConnected, std::strerror(errno));
  }
  const auto line = read_line(socket->get(), limit);
  if (!line) return tl::unexpected(line.error());
  if (line->starts_with("REJECTED")) {
    return fail(Status::kForbidden,
                fmt::format("it refuses our user, {}; run the agent as the compositor's user", ::geteuid()));
  }
  if (!line->starts_with("OK ")) return fail(Status::kNotConnected, "it does not answer as a D-Bus server does");
  return {};
}

struct BusConnector::Shared {
  FileDescriptor done{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  std::optional<Result<BusConnection>> result;
};

Result<BusConnector> BusConnector::start(const Peer& compositor, std::vector<std::string> match_rules, Bus bus) {
  auto shared = std::make_shared<Shared>();
  if (!shared->done.is_open()) return fail(Status::kLimit, "no descriptor for a session bus connection");
  const auto work = [shared, compositor, bus, rules = std::move(match_rules), environment = own_bus_environment()] {
    auto result = connect(compositor, bus, environment, rules);
    const std::lock_guard lock(shared->mutex);
    shared->result = std::move(result);
    const std::uint64_t one = 1;
    static_cast<void>(::write(shared->done.get(), &one, sizeof one));
  };
  // Signals are for the thread that runs the loop; a new one inherits what we block.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  Result<BusConnector> started(BusConnector{shared});
  try {
    std::thread(work).detach();
  } catch (const std::system_error& error) {
    started = fail(Status::kLimit, fmt::format("no thread for a session bus connection: {}", error.what()));
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

void BusConnector::poll_fds(std::vector<pollfd>& fds) const { fds.push_back(pollfd{shared_->done.get(), POLLIN, 0}); }

std::optional<Result<BusConnection>> BusConnector::take() {
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->result, std::nullopt);
}

}  // namespace compositord::agent::dbus
