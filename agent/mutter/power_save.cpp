#include "agent/mutter/power_save.h"

#include <sdbus-c++/sdbus-c++.h>

#include <fmt/format.h>

#include "agent/mutter/display_config.h"

namespace compositord::agent::mutter {

namespace {

constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr const char* kProperty = "PowerSaveMode";
constexpr std::int32_t kOn = 0;
constexpr std::int32_t kOff = 3;

std::optional<std::int32_t> read_mode(sdbus::Message& reply) {
  try {
    sdbus::Variant value;
    reply >> value;
    return value.get<std::int32_t>();
  } catch (const sdbus::Error&) {
    return std::nullopt;  // an older or a newer Mutter has something else there
  }
}

}  // namespace

std::string PowerSave::match_rule() {
  return fmt::format("type='signal',interface='{}',member='PropertiesChanged',path='{}'", kProperties,
                     kDisplayConfigPath);
}

void PowerSave::on_signal(const dbus::BusSignal& signal) {
  if (signal.member == "PropertiesChanged" && signal.sender == owner_.unique_name()) wanted_ = true;
}

void PowerSave::service(Instant now) {
  now_ = now;
  if (owner_.changes() != owner_changes_) {
    owner_changes_ = owner_.changes();
    reading_ = false;
    unsent_.reset();
    read_at_ = kNever;
    take(std::nullopt);
    wanted_ = !owner_.unique_name().empty();
  }
  if (owner_.unique_name().empty()) {
    wanted_ = false;
    return;
  }
  if (unsent_) send(*std::exchange(unsent_, std::nullopt), now);
  if (now >= read_at_) wanted_ = true;
  if (wanted_ && !reading_) read(now);
}

void PowerSave::read(Instant now) {
  wanted_ = false;
  read_at_ = kNever;
  const auto write = [](sdbus::MethodCall& call) { call << std::string(kDisplayConfigName) << std::string(kProperty); };
  const auto answered = [this, changes = owner_changes_](Result<sdbus::Message*> reply) {
    if (changes != owner_changes_) return;
    reading_ = false;
    if (reply) return take(read_mode(**reply));
    // What was last known stays, as the outputs of a frozen compositor do.
    if (reply.error().status == Status::kDeadline) read_at_ = now_ + kReadAgain;
  };
  reading_ =
      bus_.call({owner_.unique_name(), kDisplayConfigPath, kProperties, "Get", write}, now + kAnswerTime, answered)
          .has_value();
  if (!reading_) read_at_ = now + kReadAgain;
}

void PowerSave::send(bool on, Instant now) {
  const auto write = [on](sdbus::MethodCall& call) {
    call << std::string(kDisplayConfigName) << std::string(kProperty) << sdbus::Variant(on ? kOn : kOff);
  };
  const auto answered = [this](Result<sdbus::Message*> reply) {
    if (!reply) complaint_ = reply.error().text;
    wanted_ = true;
  };
  const auto asked =
      bus_.call({owner_.unique_name(), kDisplayConfigPath, kProperties, "Set", write}, now + kAnswerTime, answered);
  if (!asked) complaint_ = asked.error().text;
}

void PowerSave::take(std::optional<std::int32_t> mode) {
  changed_ |= mode != mode_;
  mode_ = mode;
}

std::optional<bool> PowerSave::is_on() const noexcept {
  if (!mode_ || *mode_ < kOn) return std::nullopt;
  return *mode_ == kOn;
}

void PowerSave::set(bool on) {
  complaint_.clear();
  unsent_ = on;
}

}  // namespace compositord::agent::mutter
