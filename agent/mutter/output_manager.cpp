#include "agent/mutter/output_manager.h"

#include <sdbus-c++/sdbus-c++.h>

#include <algorithm>

#include <fmt/format.h>

#include "agent/mutter/display_config.h"

namespace compositord::agent::mutter {

namespace {

KnownOutput picture_of(const DisplayState& state, const Monitor& monitor) {
  KnownOutput known;
  msg::Output& output = known.output;
  output.name = monitor.connector;
  output.make = monitor.vendor;
  output.model = monitor.product;
  output.serial = monitor.serial;
  output.description = monitor.display_name;
  const LogicalMonitor* logical = find_logical(state, monitor.connector);
  known.active = logical != nullptr;
  for (const MonitorMode& mode : monitor.modes) {
    output.modes.push_back(mode.mode);
    if (known.active && mode.current) output.current_mode = mode.mode;
  }
  if (logical == nullptr) return known;
  output.x = logical->x;
  output.y = logical->y;
  output.scale = logical->scale;
  output.transform = logical->transform;
  return known;
}

}  // namespace

std::vector<std::string> OutputManager::match_rules() {
  return {fmt::format("type='signal',interface='{}',member='MonitorsChanged'", kDisplayConfigName),
          PowerSave::match_rule()};
}

void OutputManager::on_signal(const dbus::BusSignal& signal) {
  // Anybody on the bus may send it; Mutter's own comes from the name that was proven.
  if (signal.member == "MonitorsChanged" && signal.sender == owner_.unique_name()) wanted_ = true;
  power_.on_signal(signal);
}

Instant OutputManager::next_deadline() const noexcept {
  return unsent_ || outcome_ ? Instant() : std::min(read_at_, power_.next_deadline());
}

void OutputManager::service(Instant now, DriverOutputs& out) {
  now_ = now;
  if (owner_.changes() != owner_changes_) {
    owner_changes_ = owner_.changes();
    // What the last owner said, and what it was asked, is of no more use.
    state_.reset();
    heads_.clear();
    reading_ = false;
    read_at_ = kNever;
    trouble_.clear();
    changed_ = true;
    wanted_ = true;
    if (configuration_pending_) end(Outcome::kFailed, "it was lost from its session bus");
  }
  power_.service(now);
  if (power_.take_changed()) mark_power();
  if (owner_.unique_name().empty()) return;
  if (now >= read_at_) wanted_ = true;
  if (wanted_ && !reading_) read_state(now);
  if (unsent_) send_configuration(now);
  if (trouble_ == logged_) return;
  logged_ = trouble_;
  if (!trouble_.empty()) out.log.push_back(LogEvent(Severity::kWarning, "mutter.no_state").with("why", trouble_));
}

void OutputManager::read_state(Instant now) {
  wanted_ = false;
  reading_ = true;
  read_at_ = kNever;
  const auto take = [this, changes = owner_changes_](Result<sdbus::Message*> reply) {
    if (changes != owner_changes_) return;
    reading_ = false;
    if (!reply) return take_state(tl::unexpected(reply.error()));
    take_state(decode_state(**reply));
  };
  const auto asked = bus_.call({owner_.unique_name(), kDisplayConfigPath, kDisplayConfigName, "GetCurrentState", {}},
                               now + kAnswerTime, take);
  if (asked) return;
  reading_ = false;
  take_state(tl::unexpected(asked.error()));
}

void OutputManager::take_state(Result<DisplayState> state) {
  changed_ = true;
  if (!state) {
    trouble_ = state.error().text;  // and the last picture stays, as that of a frozen compositor's Wayland side does
    read_at_ = now_ + kReadAgain;
    if (refused_serial_) end(Outcome::kFailed, std::string(complaint_));
    return;
  }
  trouble_.clear();
  state_ = std::move(*state);
  heads_.clear();
  for (const Monitor& monitor : state_->monitors) heads_.push_back(picture_of(*state_, monitor));
  mark_power();
  // A configuration for an older state is refused for that alone.
  if (const auto serial = std::exchange(refused_serial_, std::nullopt)) {
    end(*serial != state_->serial ? Outcome::kCancelled : Outcome::kFailed, std::string(complaint_));
  }
}

void OutputManager::mark_power() {
  for (KnownOutput& head : heads_) head.powered = power_.is_on().value_or(true);
  changed_ = true;
}

std::optional<std::string> OutputManager::power_obstacle() const {
  if (std::string why = obstacle(); !why.empty()) return why;
  if (!power_.is_on()) return "does not tell whether its outputs' power is on, and switches none";
  const auto on = std::count_if(heads_.begin(), heads_.end(), [](const KnownOutput& head) { return head.active; });
  if (on <= 1) return "";
  return fmt::format("switches the power of all its outputs at once, not of one, and {} are in use", on);
}

std::string OutputManager::obstacle() const {
  if (std::string obstacle = owner_.obstacle(); !obstacle.empty()) return obstacle;
  if (!trouble_.empty()) return fmt::format("does not tell its monitors through {}: {}", kDisplayConfigName, trouble_);
  if (!state_) return fmt::format("has not told its monitors through {} yet", kDisplayConfigName);
  return {};
}

void OutputManager::send(const std::vector<HeadChange>& changes, Purpose purpose) {
  forget_configuration();
  power_.forget_complaint();
  if (std::string why = obstacle(); !why.empty()) return end(Outcome::kFailed, std::move(why));
  auto places = lay_out(*state_, changes);
  if (!places) return end(Outcome::kFailed, places.error().text);
  configuration_pending_ = true;
  unsent_ = Configuration{state_->serial, purpose, std::move(*places)};
}

void OutputManager::send_configuration(Instant now) {
  const Configuration configuration = *std::exchange(unsent_, std::nullopt);
  const auto write = [&configuration](sdbus::MethodCall& call) {
    const auto method = configuration.purpose == Purpose::kTest ? ApplyMethod::kVerify : ApplyMethod::kTemporary;
    encode_configuration(call, configuration.serial, method, configuration.places);
  };
  const auto take = [this, number = configuration_, serial = configuration.serial](Result<sdbus::Message*> reply) {
    if (number != configuration_) return;
    if (!reply) return on_refused(serial, reply.error().text);
    wanted_ = true;  // the signal will say so, too; the heads shall not wait for it
    end(Outcome::kSucceeded, {});
  };
  const auto asked =
      bus_.call({owner_.unique_name(), kDisplayConfigPath, kDisplayConfigName, "ApplyMonitorsConfig", write},
                now + kAnswerTime, take);
  if (!asked) end(Outcome::kFailed, asked.error().text);
}

void OutputManager::on_refused(std::uint32_t serial, std::string why) {
  complaint_ = std::move(why);
  refused_serial_ = serial;
  wanted_ = true;  // the state that is read now tells whether it was only too old
}

void OutputManager::end(Outcome outcome, std::string complaint) {
  forget_configuration();
  complaint_ = std::move(complaint);
  outcome_ = outcome;
}

void OutputManager::forget_configuration() noexcept {
  ++configuration_;
  configuration_pending_ = false;
  unsent_.reset();
  refused_serial_.reset();
  complaint_.clear();
  outcome_.reset();
}

}  // namespace compositord::agent::mutter
