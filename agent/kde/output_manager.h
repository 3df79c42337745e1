#pragma once
// KDE's output management: mirrors the output devices of KWin with their modes, and sends it configurations.
// Sources: kde-output-device-v2.xml (version 2), kde-output-management-v2.xml (version 1 of it suffices).
//
// Each device is a global of its own, also while it is switched off, when its wl_output is gone. `done` ends a batch of news of
// one device. A configuration names what changes and is applied as a whole or not at all; it can't be tried before.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/output/output_manager.h"

struct kde_output_configuration_v2;
struct kde_output_device_mode_v2;
struct kde_output_device_v2;
struct kde_output_management_v2;
struct wl_registry;

namespace compositord::agent::kde {

class OutputManager final : public agent::OutputManager {
 public:
  ~OutputManager() override;

  static bool consists_of(const msg::Protocol& global);  // whether it takes such a global
  // Whether it was bound: its own events arrive within one round trip.
  bool take_global(wl_registry* registry, std::uint32_t name, const msg::Protocol& global);

  bool lose_global(std::uint32_t name) override;
  std::string obstacle() const override;
  std::uint32_t serial() const noexcept override { return 0; }  // configurations don't grow old
  const std::vector<KnownOutput>& heads() const noexcept override { return committed_; }
  bool take_changed() noexcept override { return std::exchange(changed_, false); }
  bool can_test() const noexcept override { return false; }
  void send(const std::vector<HeadChange>& changes, Purpose purpose) override;
  std::optional<Outcome> take_outcome() noexcept override { return std::exchange(outcome_, std::nullopt); }
  void forget_configuration() noexcept override;

 private:
  friend struct DeviceEvents;
  struct Device;
  struct Mode {
    Device* device = nullptr;
    kde_output_device_mode_v2* proxy = nullptr;
    msg::Mode mode;
  };
  struct Device {
    OutputManager* owner = nullptr;
    kde_output_device_v2* proxy = nullptr;
    KnownOutput known;
    std::vector<std::unique_ptr<Mode>> modes;
    const Mode* current = nullptr;
    bool complete = false;  // its first batch has come
  };

  static void destroy_proxies(Device& device) noexcept;
  static KnownOutput picture_of(const Device& device);
  void commit();
  void add_device(wl_registry* registry, std::uint32_t name, std::uint32_t version);
  static void add_mode(Device& device, kde_output_device_mode_v2* proxy);
  void configure(const Device& device, const HeadChange& change);

  kde_output_management_v2* management_ = nullptr;
  std::uint32_t management_name_ = 0;
  kde_output_configuration_v2* configuration_ = nullptr;
  std::map<std::uint32_t, std::unique_ptr<Device>> devices_;  // by registry name
  bool changed_ = false;
  std::optional<Outcome> outcome_;
  std::vector<KnownOutput> committed_;
};

}  // namespace compositord::agent::kde
