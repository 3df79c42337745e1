#include "agent/wayland/output_control.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

constexpr const char* kManagerInterface = "zwlr_output_manager_v1";
constexpr const char* kPowerInterface = "zwlr_output_power_manager_v1";

// wl_output's word on what both know; the head's on the rest.
void add_head(const msg::Output& head, msg::Output& output) {
  if (!head.make.empty()) output.make = head.make;
  if (!head.model.empty()) output.model = head.model;
  if (!head.serial.empty()) output.serial = head.serial;
  output.scale = head.scale;  // wl_output rounds it up
  output.modes = head.modes;  // wl_output repeats the present mode of an output that takes any
}

}  // namespace

bool OutputControl::take_global(wl_registry* registry, std::uint32_t name, const msg::Protocol& global) {
  if (global.version == 0) return false;
  if (global.name == kManagerInterface && manager_ == nullptr) {
    manager_ = std::make_unique<wlr::OutputManager>(registry, name, global.version);
    return true;
  }
  if (kde::OutputManager::consists_of(global) && (manager_ == nullptr || kde_manager_ != nullptr)) {
    if (manager_ == nullptr) {
      auto kde = std::make_unique<kde::OutputManager>();
      kde_manager_ = kde.get();
      manager_ = std::move(kde);
    }
    return kde_manager_->take_global(registry, name, global);
  }
  if (global.name == kPowerInterface && power_ == nullptr) {
    power_ = std::make_unique<wlr::OutputPower>(registry, name);
    return true;
  }
  return false;
}

void OutputControl::lose_global(std::uint32_t name) {
  if (manager_ != nullptr && !manager_->lose_global(name)) {
    manager_.reset();
    kde_manager_ = nullptr;
  }
  if (power_ != nullptr && power_->global_name() == name) power_.reset();
}

void OutputControl::watch_power(const std::vector<wlr::BoundOutput>& outputs) {
  if (power_ != nullptr) power_->watch(outputs);
}

std::vector<KnownOutput> OutputControl::complete(std::vector<msg::Output> outputs) const {
  std::vector<KnownOutput> known;
  for (msg::Output& output : outputs) {
    const bool powered = power_ == nullptr || power_->is_on(output.name).value_or(true);
    known.push_back(KnownOutput{std::move(output), true, powered});
  }
  if (manager() == nullptr) return known;
  for (const KnownOutput& head : manager()->heads()) {
    const auto same = [&](const KnownOutput& k) { return k.output.name == head.output.name; };
    const auto output = std::find_if(known.begin(), known.end(), same);
    if (output == known.end()) {
      known.push_back(head);
    } else if (head.active) {
      add_head(head.output, output->output);
      output->powered = output->powered && head.powered;
    }
  }
  return known;
}

void OutputControl::support(std::vector<msg::CommandSupport>& commands, const std::string& compositor) const {
  for (msg::CommandSupport& command : commands) {
    // None of the protocols makes outputs.
    if (!is_output_method(command.name) || command.name == kAddName) continue;
    const auto obstacle_to_power =
        power_ == nullptr && manager() != nullptr ? manager()->power_obstacle() : std::nullopt;
    if (command.name == "output.power" && obstacle_to_power) {
      const std::string reason = obstacle_to_power->empty() ? "" : fmt::format("{} {}", compositor, *obstacle_to_power);
      command = msg::CommandSupport{command.name, reason.empty(), reason};
    } else if (command.name == "output.power") {
      const std::string reason = fmt::format("{} offers no {}", compositor, kPowerInterface);
      command = msg::CommandSupport{command.name, power_ != nullptr, power_ != nullptr ? "" : reason};
    } else if (manager() != nullptr) {
      const std::string obstacle = manager()->obstacle();
      const std::string reason = obstacle.empty() ? "" : fmt::format("{} {}", compositor, obstacle);
      command = msg::CommandSupport{command.name, obstacle.empty(), reason};
    }
  }
}

void OutputControl::serve(const std::string& compositor, const std::vector<msg::Output>& outputs, Instant now,
                          DriverOutputs& out) {
  std::optional<Outcome> outcome = manager() != nullptr ? manager()->take_outcome() : std::nullopt;
  // Each turn ends a command, goes one step on with it, or ends the loop.
  while (!runner_.is_idle()) {
    const std::size_t said = out.events.size();
    OutputCommandRunner::Seen seen;
    seen.compositor = compositor;
    seen.outputs = complete(outputs);
    if (manager() != nullptr) {
      seen.heads = manager()->heads();
      seen.serial = manager()->serial();
      seen.can_test = manager()->can_test();
    }
    seen.outcome = std::exchange(outcome, std::nullopt);
    const auto ask = runner_.step(seen, now, out);
    add_complaint(out.events, said);
    if (ask) {
      send(*ask, out);
    } else if (out.events.size() == said) {
      break;
    }
  }
  tick(now, out);
}

void OutputControl::send(const OutputCommandRunner::Ask& ask, DriverOutputs& out) {
  if (const auto* configure = std::get_if<OutputCommandRunner::Configure>(&ask)) {
    if (manager() != nullptr) manager()->send(configure->changes, configure->purpose);
  } else if (const auto* power = std::get_if<OutputCommandRunner::SetPower>(&ask)) {
    if (power_ == nullptr && manager() != nullptr && manager()->power_obstacle())
      return manager()->set_power(power->on);
    if (power_ == nullptr || !power_->set(power->output, power->on)) runner_.on_no_power(out);
  }
}

void OutputControl::add_complaint(std::vector<DriverEvent>& events, std::size_t first) const {
  const std::string complaint = manager() != nullptr ? manager()->complaint() : std::string();
  if (complaint.empty()) return;
  for (std::size_t i = first; i < events.size(); ++i) {
    auto* finished = std::get_if<driver_event::CommandFinished>(&events[i]);
    if (finished != nullptr && finished->status == Status::kFailed) finished->error += fmt::format(" ({})", complaint);
  }
}

void OutputControl::tick(Instant now, DriverOutputs& out) {
  runner_.tick(now, out);
  // A command that ended by its deadline has left its configuration behind.
  if (manager() != nullptr && !runner_.is_configuring()) manager()->forget_configuration();
}

bool OutputControl::take_changed() noexcept {
  const bool heads = manager() != nullptr && manager()->take_changed();
  const bool power = power_ != nullptr && power_->take_changed();
  return heads || power;
}

}  // namespace compositord::agent
