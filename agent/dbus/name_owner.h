#pragma once
// Who owns a well-known name on a session bus, and whether that is our compositor: any client of the bus may take a name, and a
// second compositor of the same user takes the same one. Proven by the bus's word on the owner's process.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/dbus/session_bus.h"
#include "agent/process/peer.h"
#include "common/base/instant.h"

namespace compositord::agent::dbus {

class NameOwner {
 public:
  static constexpr Duration kAnswerTime = std::chrono::seconds(2);
  // Nobody tells when a bus that gave no answer is well again.
  static constexpr Duration kAskAgain = std::chrono::seconds(5);

  NameOwner(SessionBus& bus, Peer compositor, std::string name);
  NameOwner(const NameOwner&) = delete;
  NameOwner& operator=(const NameOwner&) = delete;

  // The match rule that the bus must have for this.
  static std::string match_rule(const std::string& name);

  void on_signal(const BusSignal& signal);
  // Asks what is to be asked. To be called after the bus's own service().
  void service(Instant now, DriverOutputs& out);
  Instant next_deadline() const noexcept { return ask_at_; }

  // The unique name that has it, ":1.5", while that is the compositor's. Calls go there: that name never has another owner.
  const std::string& unique_name() const noexcept { return unique_name_; }
  // Grows whenever unique_name() changes.
  std::uint64_t changes() const noexcept { return changes_; }
  bool is_asking() const noexcept { return asking_; }
  // Why there is no owner to call, as the end of "the compositor …"; empty when there is one.
  std::string obstacle() const;

 private:
  void ask_owner(Instant now);
  void ask_process(const std::string& owner);
  void settle(const std::string& owner, std::string obstacle);
  void on_error(const Error& error);
  bool is_stale(std::uint64_t question) const noexcept { return question != question_; }

  SessionBus& bus_;
  Peer compositor_;
  std::string name_;
  std::string unique_name_;
  std::string obstacle_;
  std::uint64_t changes_ = 0;
  std::uint64_t logged_ = 0;      // the change that the log has already
  std::uint64_t connection_ = 0;  // of the bus, at the last question
  std::uint64_t question_ = 0;    // answers to older ones count no more
  bool wanted_ = false;
  bool asking_ = false;
  Instant now_;
  Instant ask_at_ = kNever;
};

}  // namespace compositord::agent::dbus
