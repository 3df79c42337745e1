#pragma once
// The outputs of Mutter through org.gnome.Mutter.DisplayConfig, which is to be proven to be that Mutter's (NameOwner). Its state is read
// when the name is found and after each MonitorsChanged; a configuration is verified (test) or applied until Mutter ends.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/dbus/name_owner.h"
#include "agent/dbus/session_bus.h"
#include "agent/mutter/display_state.h"
#include "agent/mutter/layout.h"
#include "agent/mutter/power_save.h"
#include "agent/output/output_manager.h"
#include "common/base/instant.h"

namespace compositord::agent::mutter {

class OutputManager final : public agent::OutputManager {
 public:
  // Mutter answers within a frame. What takes longer is for the command's own deadline to end.
  static constexpr Duration kAnswerTime = std::chrono::seconds(10);
  static constexpr Duration kReadAgain = std::chrono::seconds(1);

  OutputManager(dbus::SessionBus& bus, dbus::NameOwner& owner) : bus_(bus), owner_(owner), power_(bus, owner) {}

  // The match rules that the bus must have for this.
  static std::vector<std::string> match_rules();
  void on_signal(const dbus::BusSignal& signal);
  // Asks what is to be asked. To be called after the owner's own service().
  void service(Instant now, DriverOutputs& out);
  Instant next_deadline() const noexcept;
  bool is_asking() const noexcept { return reading_ || power_.is_asking(); }

  bool lose_global(std::uint32_t) override { return true; }  // it needs none
  std::string obstacle() const override;
  const std::vector<KnownOutput>& heads() const noexcept override { return heads_; }
  std::uint32_t serial() const noexcept override { return state_ ? state_->serial : 0; }
  bool take_changed() noexcept override { return std::exchange(changed_, false); }
  bool can_test() const noexcept override { return true; }
  void send(const std::vector<HeadChange>& changes, Purpose purpose) override;
  std::optional<Outcome> take_outcome() noexcept override { return std::exchange(outcome_, std::nullopt); }
  std::string complaint() const override { return complaint_.empty() ? power_.complaint() : complaint_; }
  // Mutter knows one power for all its monitors: it is an output's own only while that is the only one.
  std::optional<std::string> power_obstacle() const override;
  void set_power(bool on) override { power_.set(on); }
  void forget_configuration() noexcept override;

 private:
  struct Configuration {
    std::uint32_t serial = 0;
    Purpose purpose = Purpose::kTest;
    std::vector<Place> places;
  };

  void mark_power();
  void read_state(Instant now);
  void take_state(Result<DisplayState> state);
  void send_configuration(Instant now);
  void on_refused(std::uint32_t serial, std::string why);
  void end(Outcome outcome, std::string complaint);

  dbus::SessionBus& bus_;
  dbus::NameOwner& owner_;
  PowerSave power_;
  std::uint64_t owner_changes_ = 0;
  std::optional<DisplayState> state_;
  std::vector<KnownOutput> heads_;
  std::string trouble_;  // why the state could not be read
  std::string logged_;
  bool changed_ = false;
  bool wanted_ = false;   // the state is to be read
  bool reading_ = false;  // and its answer is owed
  Instant read_at_ = kNever;
  Instant now_;

  std::optional<Configuration> unsent_;
  bool configuration_pending_ = false;
  std::uint64_t configuration_ = 0;  // answers to older ones count no more
  std::optional<std::uint32_t> refused_serial_;
  std::optional<Outcome> outcome_;
  std::string complaint_;
};

}  // namespace compositord::agent::mutter
