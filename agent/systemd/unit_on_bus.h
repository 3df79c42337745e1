#pragma once
// The systemd service whose main process a compositor is, as the manager on one bus tells: the system's, or the user's own. While the
// process lives its unit is found; once it has ended, how it ended is asked for until systemd has reaped it.
//
//   kFinding -> kFound   the manager named a service with our process as its main process
//   kFinding -> kOver    no bus, no systemd on it, no unit, a scope, or another main process
//   kFound   -> kTold    systemd told how it ended
//   kFound   -> kOver    the service was started again, or is forgotten, before systemd was asked
//
// Source: org.freedesktop.systemd1(5), GetUnitByPID and the properties ExecMainPID, ExecMainCode and ExecMainStatus of a service.

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dbus/session_bus.h"
#include "agent/driver_event.h"
#include "agent/process/peer.h"
#include "common/base/instant.h"

namespace compositord::agent::systemd {

class UnitOnBus {
 public:
  static constexpr Duration kAnswerTime = std::chrono::seconds(5);
  // systemd may hear of us before it hears of its child's end; then it is asked again, doubled each time up to the maximum. A unit
  // with RestartSec=100ms, the default, is asked in time.
  static constexpr Duration kNotReapedYet = std::chrono::milliseconds(10);
  static constexpr Duration kNotReapedYetMax = std::chrono::seconds(2);
  // Nobody tells when a manager that gave no answer is well again.
  static constexpr Duration kAskAgain = std::chrono::seconds(5);
  // A manager takes its name on the bus some moments after it has started, and what it starts may be there before.
  static constexpr int kNamelessMax = 12;

  UnitOnBus(Peer compositor, dbus::Bus bus);

  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept;
  // `ended`: the process has, as its pidfd tells.
  void service(Instant now, bool ended);

  bool is_over() const noexcept { return state_ == State::kOver; }
  const std::optional<ProcessEnd>& end() const noexcept { return end_; }
  const std::string& unit() const noexcept { return unit_; }  // "weston.service"; empty before it was found

 private:
  enum class State : std::uint8_t { kFinding, kFound, kTold, kOver };

  void ask_next(Instant now);
  void ask(Instant now, const dbus::SessionBus::Call& call, void (UnitOnBus::*take)(sdbus::Message&));
  void take_owner(sdbus::Message& reply);
  void take_unit(sdbus::Message& reply);
  void take_service(sdbus::Message& reply);
  void on_error(const Error& error);

  Peer compositor_;
  std::unique_ptr<dbus::SessionBus> bus_;  // none once nothing more is asked
  State state_ = State::kFinding;
  bool ended_ = false;
  std::uint64_t connection_ = 0;
  std::string owner_;  // the manager's unique name: the well-known one would make the bus start a systemd
  std::string path_;
  std::string unit_;
  int nameless_ = 0;  // how often nobody had the manager's name
  bool asking_ = false;
  std::uint64_t question_ = 0;  // answers to older ones count no more
  Instant now_;
  Instant ask_at_;
  Duration ask_after_ = kNotReapedYet;
  std::optional<ProcessEnd> end_;
};

// "weston@tty1.service" of "/org/freedesktop/systemd1/unit/weston_40tty1_2eservice".
std::string unit_name(std::string_view object_path);

}  // namespace compositord::agent::systemd
