#include "agent/mutter/mutter_companion.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "agent/mutter/display_config.h"

namespace compositord::agent::mutter {

namespace {

std::vector<std::string> match_rules() {
  std::vector<std::string> rules = OutputManager::match_rules();
  rules.push_back(ScreenCast::match_rule());
  rules.push_back(dbus::NameOwner::match_rule(kDisplayConfigName));
  return rules;
}

}  // namespace

MutterCompanion::MutterCompanion(const Peer& compositor, std::string name)
    : name_(std::move(name)),
      bus_(compositor, match_rules()),
      owner_(bus_, compositor, kDisplayConfigName),
      outputs_(bus_, owner_),
      screen_cast_(compositor, bus_, owner_) {}

Instant MutterCompanion::next_deadline() const noexcept {
  return std::min(
      {bus_.next_deadline(), owner_.next_deadline(), outputs_.next_deadline(), screen_cast_.next_deadline()});
}

void MutterCompanion::service(Instant now, DriverOutputs& out) {
  bus_.service(now, out);
  for (const dbus::BusSignal& signal : bus_.take_signals()) {
    owner_.on_signal(signal);
    outputs_.on_signal(signal);
    screen_cast_.on_signal(signal);
  }
  owner_.service(now, out);
  outputs_.service(now, out);
  screen_cast_.service(now);
  changed_ = screen_cast_.take_changed() || changed_;
  if (std::string obstacle = outputs_.obstacle(); obstacle != obstacle_) {
    obstacle_ = std::move(obstacle);
    changed_ = true;
  }
}

bool MutterCompanion::is_asking() const noexcept {
  return bus_.is_connecting() || owner_.is_asking() || outputs_.is_asking() || screen_cast_.is_asking();
}

void MutterCompanion::support(std::vector<msg::CommandSupport>& commands, const std::string& compositor) const {
  for (msg::CommandSupport& command : commands) {
    if (command.name != kScreenshotCommand) continue;
    const std::string why = owner_.unique_name().empty() ? owner_.obstacle() : screen_cast_.obstacle();
    command.supported = why.empty() && !owner_.unique_name().empty();
    command.reason = command.supported ? "" : fmt::format("{} {}", compositor, why);
  }
}

void MutterCompanion::execute(std::uint64_t command_id, const std::string& method, const msg::Value&, Instant, Instant,
                              DriverOutputs& out) {
  driver_event::CommandFinished finished;
  finished.command_id = command_id;
  finished.status = Status::kNotFound;
  finished.error = fmt::format("there is no command \"{}\"", escape_for_log(method, 64));
  out.events.emplace_back(std::move(finished));
}

}  // namespace compositord::agent::mutter
