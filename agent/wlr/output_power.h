#pragma once
// wlr-output-power-management: whether each output's monitor is on, and the request to change that.
// Source: wlr-output-power-management-unstable-v1.xml, version 1. A wish has no answer of its own: an output that took it
// says its new state, one that didn't says nothing or `failed`.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct wl_output;
struct wl_registry;
struct zwlr_output_power_manager_v1;
struct zwlr_output_power_v1;

namespace compositord::agent::wlr {

// One wl_output that its owner keeps bound.
struct BoundOutput {
  std::string name;
  std::uint32_t global_name = 0;
  wl_output* proxy = nullptr;
};

class OutputPower {
 public:
  OutputPower(wl_registry* registry, std::uint32_t global_name);
  OutputPower(const OutputPower&) = delete;
  OutputPower& operator=(const OutputPower&) = delete;
  ~OutputPower();

  std::uint32_t global_name() const noexcept { return global_name_; }
  // Watches these outputs and no others.
  void watch(const std::vector<BoundOutput>& outputs);
  // Whether its monitor is on; none while the compositor hasn't said, or refuses to be asked.
  std::optional<bool> is_on(const std::string& output) const;
  // False when this output can't be told anything.
  bool set(const std::string& output, bool on);
  bool take_changed() noexcept;

 private:
  friend struct PowerEvents;
  struct Control {
    OutputPower* owner = nullptr;
    zwlr_output_power_v1* proxy = nullptr;  // none after `failed`
    BoundOutput output;
    std::optional<bool> on;
  };
  Control* find(const std::string& output) const;

  zwlr_output_power_manager_v1* manager_ = nullptr;
  std::uint32_t global_name_;
  std::vector<std::unique_ptr<Control>> controls_;
  bool changed_ = false;
};

}  // namespace compositord::agent::wlr
