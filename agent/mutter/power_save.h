#pragma once
// The power of Mutter's monitors: the property PowerSaveMode of org.gnome.Mutter.DisplayConfig, one for all of them. Read when the name
// is found and whenever Mutter says that it changed.
//
// Source: org.gnome.Mutter.DisplayConfig.xml of Mutter 43: 0 on, 1 standby, 2 suspend, 3 off, -1 unknown, where nothing can be switched.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "agent/dbus/name_owner.h"
#include "agent/dbus/session_bus.h"
#include "common/base/instant.h"

namespace compositord::agent::mutter {

class PowerSave {
 public:
  static constexpr Duration kAnswerTime = std::chrono::seconds(5);
  static constexpr Duration kReadAgain = std::chrono::seconds(5);

  // Both must outlive this.
  PowerSave(dbus::SessionBus& bus, const dbus::NameOwner& owner) : bus_(bus), owner_(owner) {}

  // The match rule that the bus must have for this.
  static std::string match_rule();
  void on_signal(const dbus::BusSignal& signal);
  // Asks what is to be asked. To be called after the owner's own service().
  void service(Instant now);
  Instant next_deadline() const noexcept { return wanted_ || unsent_ ? Instant() : read_at_; }
  bool is_asking() const noexcept { return reading_; }
  bool take_changed() noexcept { return std::exchange(changed_, false); }

  // Whether the monitors are on; none while that is not known, or can't be switched.
  std::optional<bool> is_on() const noexcept;
  // Is sent with the next service(), and shows in is_on() when Mutter has done it.
  void set(bool on);
  // Why the last set() was refused, in Mutter's words.
  const std::string& complaint() const noexcept { return complaint_; }
  void forget_complaint() noexcept { complaint_.clear(); }

 private:
  void read(Instant now);
  void send(bool on, Instant now);
  void take(std::optional<std::int32_t> mode);

  dbus::SessionBus& bus_;
  const dbus::NameOwner& owner_;
  std::uint64_t owner_changes_ = 0;
  std::optional<std::int32_t> mode_;
  std::optional<bool> unsent_;
  std::string complaint_;
  bool changed_ = false;
  bool wanted_ = false;   // it is to be read
  bool reading_ = false;  // and its answer is owed
  Instant read_at_ = kNever;
  Instant now_;
};

}  // namespace compositord::agent::mutter
