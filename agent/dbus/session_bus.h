#pragma once
// Our connection to a compositor's session bus, or to the system bus: made by a BusConnector, made again when it breaks, and never waited for.
//
//   kConnecting -> kUp         connected and subscribed
//   kConnecting, kUp -> kDown  no bus, no answer, or it hung up; the next attempt is made at retry_at_
//   kDown -> kConnecting       kRetryFirst later, doubled each time up to kRetryMax
//
// A call ends with exactly one answer: the reply, the error, or kDeadline. Answers come from service(), never from within call().

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/dbus/bus_connector.h"
#include "agent/driver.h"
#include "agent/process/peer.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace sdbus {
class Message;
class MethodCall;
class MethodReply;
}  // namespace sdbus

namespace compositord::agent::dbus {

class SessionBus {
 public:
  static constexpr Duration kRetryFirst = std::chrono::seconds(1);
  static constexpr Duration kRetryMax = std::chrono::seconds(30);
  // How long an attempt may take before it is said to be stuck. It goes on: there is never more than one.
  static constexpr Duration kConnectTime = std::chrono::seconds(3);
  static constexpr std::size_t kCallsMax = 16;
  // What one service() takes, so that a flood of messages does not hold the loop.
  static constexpr int kMessagesPerServiceMax = 64;

  struct Call {
    std::string destination;
    std::string path;
    std::string interface;
    std::string method;
    // Appends the arguments. May throw sdbus::Error.
    std::function<void(sdbus::MethodCall&)> arguments;
  };
  // The reply lives as long as the call of the handler. Errors: kDeadline, kNotConnected when the bus was lost; in the words of
  // whoever refused: kForbidden, kUnsupported when there is no such object, method or property, and kFailed.
  using OnReply = std::function<void(Result<sdbus::Message*>)>;

  SessionBus(Peer compositor, std::vector<std::string> match_rules, Bus bus = Bus::kSession);
  SessionBus(const SessionBus&) = delete;
  SessionBus& operator=(const SessionBus&) = delete;
  ~SessionBus();

  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept;
  void service(Instant now, DriverOutputs& out);

  bool is_up() const noexcept { return state_ == State::kUp; }
  bool is_connecting() const noexcept { return state_ == State::kConnecting; }
  // Grows with each new connection: what an older one said counts no more.
  std::uint64_t connections() const noexcept { return connections_; }
  // Why it isn't up, a sentence; empty when it is.
  const std::string& trouble() const noexcept { return trouble_; }
  std::vector<BusSignal> take_signals();

  // Errors: kNotConnected, kLimit when too many are open, kFailed when it can't be written down; then there is no answer.
  Result<void> call(const Call& call, Instant deadline, OnReply on_reply);

 private:
  enum class State : std::uint8_t { kConnecting, kUp, kDown };
  struct OpenCall;
  struct Answer;

  void connect(Instant now, DriverOutputs& out);
  void take_connection(Instant now, DriverOutputs& out);
  void process(Instant now, DriverOutputs& out);
  void end_late_calls(Instant now);
  void deliver();
  void go_down(Error why, Instant now, DriverOutputs& out);

  Peer compositor_;
  std::vector<std::string> match_rules_;
  Bus bus_;
  State state_ = State::kDown;
  std::string trouble_;
  std::string logged_;  // the trouble that the log has already
  Instant retry_at_;
  Duration retry_after_ = kRetryFirst;
  Instant connect_late_at_ = kNever;
  std::optional<BusConnector> connector_;
  std::optional<BusConnection> connection_;
  std::uint64_t connections_ = 0;
  std::vector<BusSignal> signals_;
  std::uint64_t last_call_ = 0;
  std::map<std::uint64_t, std::unique_ptr<OpenCall>> open_;  // after the connection, so that they end before it does
  std::deque<Answer> answers_;
};

}  // namespace compositord::agent::dbus
