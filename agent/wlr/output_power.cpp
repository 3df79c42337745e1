#include "agent/wlr/output_power.h"

#include <wayland-client.h>
#include <wlr-output-power-management-unstable-v1-client-protocol.h>

#include <algorithm>
#include <utility>

namespace compositord::agent::wlr {

struct PowerEvents {
  static void mode(void* data, zwlr_output_power_v1*, std::uint32_t mode) {
    auto& control = *static_cast<OutputPower::Control*>(data);
    control.on = mode != ZWLR_OUTPUT_POWER_V1_MODE_OFF;
    control.owner->changed_ = true;
  }
  // "Upon receiving this event, the client should destroy this object."
  static void failed(void* data, zwlr_output_power_v1* proxy) {
    auto& control = *static_cast<OutputPower::Control*>(data);
    zwlr_output_power_v1_destroy(proxy);
    control.proxy = nullptr;
    control.on.reset();
    control.owner->changed_ = true;
  }
  static constexpr zwlr_output_power_v1_listener kControl{mode, failed};
};

OutputPower::OutputPower(wl_registry* registry, std::uint32_t global_name) : global_name_(global_name) {
  manager_ = static_cast<zwlr_output_power_manager_v1*>(
      wl_registry_bind(registry, global_name, &zwlr_output_power_manager_v1_interface, 1));
}

OutputPower::~OutputPower() {
  watch({});
  if (manager_ != nullptr) zwlr_output_power_manager_v1_destroy(manager_);
}

void OutputPower::watch(const std::vector<BoundOutput>& outputs) {
  std::erase_if(controls_, [&](const auto& control) {
    const auto kept = std::find_if(outputs.begin(), outputs.end(), [&](const BoundOutput& output) {
      return output.global_name == control->output.global_name;
    });
    if (kept != outputs.end()) {
      control->output.name = kept->name;
      return false;
    }
    if (control->proxy != nullptr) zwlr_output_power_v1_destroy(control->proxy);
    return true;
  });
  for (const BoundOutput& output : outputs) {
    const auto known = std::find_if(controls_.begin(), controls_.end(),
                                    [&](const auto& c) { return c->output.global_name == output.global_name; });
    if (known != controls_.end() || manager_ == nullptr || output.proxy == nullptr) continue;
    auto control = std::make_unique<Control>();
    control->owner = this;
    control->output = output;
    control->proxy = zwlr_output_power_manager_v1_get_output_power(manager_, output.proxy);
    if (control->proxy != nullptr)
      zwlr_output_power_v1_add_listener(control->proxy, &PowerEvents::kControl, control.get());
    controls_.push_back(std::move(control));
  }
}

OutputPower::Control* OutputPower::find(const std::string& output) const {
  const auto found =
      std::find_if(controls_.begin(), controls_.end(), [&](const auto& c) { return c->output.name == output; });
  return found == controls_.end() ? nullptr : found->get();
}

std::optional<bool> OutputPower::is_on(const std::string& output) const {
  const Control* control = find(output);
  return control == nullptr ? std::nullopt : control->on;
}

bool OutputPower::set(const std::string& output, bool on) {
  const Control* control = find(output);
  if (control == nullptr || control->proxy == nullptr || !control->on) return false;
  zwlr_output_power_v1_set_mode(control->proxy, on ? ZWLR_OUTPUT_POWER_V1_MODE_ON : ZWLR_OUTPUT_POWER_V1_MODE_OFF);
  return true;
}

bool OutputPower::take_changed() noexcept { return std::exchange(changed_, false); }

}  // namespace compositord::agent::wlr
