#pragma once
// Connects to a session bus, or the system bus, on a thread of its own, because sdbus-c++ can't without waiting: making a connection waits for the
// bus up to 90 s (measured with a stopped dbus-daemon), and subscribing to a signal waits for ever. What it hands over is
// connected and subscribed; from there on calls and replies never wait.
//
// The thread asks the bus for a greeting first, so a bus that is stuck already costs kGreetingTime. Only one that gets stuck right
// after it can hold the thread longer; nobody waits for the thread, also not the destructor.

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/process/peer.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace sdbus {
class IConnection;
}

namespace compositord::agent::dbus {

// A signal that one of our subscriptions matched. Of the bus's own signals the arguments are read, which are just text; of all others
// the first one, where it is a number.
struct BusSignal {
  std::string sender;
  std::string interface;
  std::string member;
  std::vector<std::string> arguments;
  std::string path{};
  std::optional<std::uint32_t> number{};
};

// What the subscriptions of a connection put their signals into. Whoever makes the connection work empties it.
using SignalInbox = std::vector<BusSignal>;

// Ends a connection without sending what is unsent, for which sdbus-c++ would wait.
struct CloseAtOnce {
  void operator()(sdbus::IConnection* connection) const noexcept;
};

struct BusConnection {
  std::unique_ptr<SignalInbox> inbox;  // outlives the connection
  std::unique_ptr<sdbus::IConnection, CloseAtOnce> connection;
  std::string address;
};

enum class Bus : std::uint8_t { kSession, kSystem };

class BusConnector {
 public:
  static constexpr Duration kGreetingTime = std::chrono::seconds(2);

  // Begins to connect to the session bus of `compositor`, or to the system bus, with these match rules. Errors: kLimit when there can be no thread.
  static Result<BusConnector> start(const Peer& compositor, std::vector<std::string> match_rules, Bus bus);

  void poll_fds(std::vector<pollfd>& fds) const;
  // The connection or why there is none; nothing while it is not decided, and after it was taken.
  // Errors: kNotFound when there is no bus, kForbidden when it refuses our user, kNotConnected otherwise.
  std::optional<Result<BusConnection>> take();

 private:
  struct Shared;  // with the thread
  explicit BusConnector(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<Shared> shared_;
};

// Asks whoever listens there to accept our user, as each client of a bus begins, and hangs up. Waits up to `limit` for each line.
// Errors: as connect_unix(), kForbidden when it refuses us, kNotConnected when it does not answer or not as a bus does.
Result<void> greet_bus(const std::string& socket_path, Duration limit);

}  // namespace compositord::agent::dbus
