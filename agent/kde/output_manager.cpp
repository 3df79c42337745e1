#include "agent/kde/output_manager.h"

#include <kde-output-device-v2-client-protocol.h>
#include <kde-output-management-v2-client-protocol.h>
#include <wayland-client.h>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent::kde {

namespace {

constexpr const char* kDeviceInterface = "kde_output_device_v2";
constexpr const char* kManagementInterface = "kde_output_management_v2";
constexpr std::uint32_t kDeviceVersionMax = 2;  // the last one whose events are handled below

std::string text_of(const char* text) { return text == nullptr ? std::string() : escape_for_log(text); }

std::uint32_t not_negative(std::int32_t n) { return static_cast<std::uint32_t>(std::max(n, 0)); }

void destroy_management(kde_output_management_v2* management) {
  if (management != nullptr) kde_output_management_v2_destroy(management);
}

}  // namespace

// The C callbacks. `data` is the object that owns the proxy.
struct DeviceEvents {
  using Device = OutputManager::Device;
  using Mode = OutputManager::Mode;
  static Device& self(void* data) { return *static_cast<Device*>(data); }
  static msg::Output& output(void* data) { return self(data).known.output; }

  static void geometry(void* data, kde_output_device_v2*, std::int32_t x, std::int32_t y, std::int32_t width_mm,
                       std::int32_t height_mm, std::int32_t, const char* make, const char* model,
                       std::int32_t transform) {
    msg::Output& o = output(data);
    o.x = x;
    o.y = y;
    o.width_mm = not_negative(width_mm);  // KWin says -1 of a virtual output
    o.height_mm = not_negative(height_mm);
    o.make = text_of(make);
    o.model = text_of(model);
    const bool known = transform >= 0 && transform <= 7;
    o.transform = known ? static_cast<msg::Transform>(transform) : msg::Transform::k0;
  }
  static void current_mode(void* data, kde_output_device_v2*, kde_output_device_mode_v2* mode) {
    Device& device = self(data);
    const auto known =
        std::find_if(device.modes.begin(), device.modes.end(), [&](const auto& m) { return m->proxy == mode; });
    device.current = known == device.modes.end() ? nullptr : known->get();
  }
  static void mode(void* data, kde_output_device_v2*, kde_output_device_mode_v2* mode) {
    OutputManager::add_mode(self(data), mode);
  }
  static void done(void* data, kde_output_device_v2*) {
    self(data).complete = true;
    self(data).owner->commit();
  }
  static void scale(void* data, kde_output_device_v2*, wl_fixed_t scale) {
    // It comes in steps of 1/256; more digits would be invented.
    output(data).scale = std::round(wl_fixed_to_double(scale) * 1e3) / 1e3;
  }
  static void enabled(void* data, kde_output_device_v2*, std::int32_t enabled) {
    self(data).known.active = enabled != 0;
  }
  static void serial_number(void* data, kde_output_device_v2*, const char* serial) {
    output(data).serial = text_of(serial);
  }
  static void name(void* data, kde_output_device_v2*, const char* name) { output(data).name = text_of(name); }
  // What the manifest has no room for.
  static void edid(void*, kde_output_device_v2*, const char*) {}
  static void uuid(void*, kde_output_device_v2*, const char*) {}
  static void eisa_id(void*, kde_output_device_v2*, const char*) {}
  static void number(void*, kde_output_device_v2*, std::uint32_t) {}

  static void mode_size(void* data, kde_output_device_mode_v2*, std::int32_t width, std::int32_t height) {
    msg::Mode& mode = static_cast<Mode*>(data)->mode;
    mode.width_px = not_negative(width);
    mode.height_px = not_negative(height);
  }
  static void mode_refresh(void* data, kde_output_device_mode_v2*, std::int32_t refresh_mhz) {
    static_cast<Mode*>(data)->mode.refresh_mhz = not_negative(refresh_mhz);
  }
  static void mode_preferred(void* data, kde_output_device_mode_v2*) {
    static_cast<Mode*>(data)->mode.preferred = true;
  }
  static void mode_removed(void* data, kde_output_device_mode_v2* proxy) {
    auto* gone = static_cast<Mode*>(data);
    Device& device = *gone->device;
    if (device.current == gone) device.current = nullptr;
    kde_output_device_mode_v2_destroy(proxy);
    std::erase_if(device.modes, [&](const auto& mode) { return mode.get() == gone; });
  }

  static void ended(void* data, Outcome outcome) {
    auto& manager = *static_cast<OutputManager*>(data);
    manager.forget_configuration();
    manager.outcome_ = outcome;
  }
  static void applied(void* data, kde_output_configuration_v2*) { ended(data, Outcome::kSucceeded); }
  static void failed(void* data, kde_output_configuration_v2*) { ended(data, Outcome::kFailed); }

  static constexpr kde_output_device_v2_listener kDevice{geometry, current_mode, mode,   done,          scale,
                                                         edid,     enabled,      uuid,   serial_number, eisa_id,
                                                         number,   number,       number, number,        name};
  static constexpr kde_output_device_mode_v2_listener kMode{mode_size, mode_refresh, mode_preferred, mode_removed};
  static constexpr kde_output_configuration_v2_listener kConfiguration{applied, failed};
};

OutputManager::~OutputManager() {
  forget_configuration();
  for (const auto& entry : devices_) destroy_proxies(*entry.second);
  destroy_management(management_);
}

void OutputManager::destroy_proxies(Device& device) noexcept {
  for (const auto& mode : device.modes) kde_output_device_mode_v2_destroy(mode->proxy);
  kde_output_device_v2_destroy(device.proxy);
}

bool OutputManager::consists_of(const msg::Protocol& global) {
  return global.name == kDeviceInterface || global.name == kManagementInterface;
}

bool OutputManager::take_global(wl_registry* registry, std::uint32_t name, const msg::Protocol& global) {
  if (global.name == kManagementInterface && management_ == nullptr) {
    management_name_ = name;
    management_ = static_cast<kde_output_management_v2*>(
        wl_registry_bind(registry, name, &kde_output_management_v2_interface, 1));
    return true;
  }
  if (global.name != kDeviceInterface || devices_.contains(name) || devices_.size() >= kHeadsMax) return false;
  add_device(registry, name, std::min(global.version, kDeviceVersionMax));
  return true;
}

void OutputManager::add_device(wl_registry* registry, std::uint32_t name, std::uint32_t version) {
  auto* proxy =
      static_cast<kde_output_device_v2*>(wl_registry_bind(registry, name, &kde_output_device_v2_interface, version));
  if (proxy == nullptr) return;
  auto device = std::make_unique<Device>();
  device->owner = this;
  device->proxy = proxy;
  kde_output_device_v2_add_listener(proxy, &DeviceEvents::kDevice, device.get());
  devices_.emplace(name, std::move(device));
}

void OutputManager::add_mode(Device& device, kde_output_device_mode_v2* proxy) {
  if (device.modes.size() >= kModesMax) return kde_output_device_mode_v2_destroy(proxy);
  auto mode = std::make_unique<Mode>();
  mode->device = &device;
  mode->proxy = proxy;
  kde_output_device_mode_v2_add_listener(proxy, &DeviceEvents::kMode, mode.get());
  device.modes.push_back(std::move(mode));
}

bool OutputManager::lose_global(std::uint32_t name) {
  if (management_ != nullptr && name == management_name_) {
    forget_configuration();
    destroy_management(std::exchange(management_, nullptr));
    changed_ = true;
  }
  const auto device = devices_.find(name);
  if (device == devices_.end()) return true;
  destroy_proxies(*device->second);
  devices_.erase(device);
  commit();
  return true;
}

std::string OutputManager::obstacle() const {
  if (management_ == nullptr) return fmt::format("offers no {}", kManagementInterface);
  if (devices_.size() >= kHeadsMax) return fmt::format("has {} outputs or more", kHeadsMax);
  if (committed_.empty()) return fmt::format("has not told its outputs through {} yet", kDeviceInterface);
  return {};
}

KnownOutput OutputManager::picture_of(const Device& device) {
  KnownOutput known = device.known;
  if (known.active && device.current != nullptr) known.output.current_mode = device.current->mode;
  for (const auto& mode : device.modes) known.output.modes.push_back(mode->mode);
  return known;
}

void OutputManager::commit() {
  changed_ = true;
  committed_.clear();
  for (const auto& entry : devices_) {
    // Before version 2 a device has no name, and nobody could say which one is meant.
    if (entry.second->complete && !entry.second->known.output.name.empty()) {
      committed_.push_back(picture_of(*entry.second));
    }
  }
}

void OutputManager::send(const std::vector<HeadChange>& changes, Purpose purpose) {
  forget_configuration();
  outcome_.reset();
  if (!obstacle().empty() || purpose == Purpose::kTest) return;
  configuration_ = kde_output_management_v2_create_configuration(management_);
  if (configuration_ == nullptr) return;
  kde_output_configuration_v2_add_listener(configuration_, &DeviceEvents::kConfiguration, this);
  for (const auto& entry : devices_) {
    const auto change = std::find_if(changes.begin(), changes.end(),
                                     [&](const HeadChange& c) { return c.name == entry.second->known.output.name; });
    if (change != changes.end()) configure(*entry.second, *change);
  }
  kde_output_configuration_v2_apply(configuration_);
}

void OutputManager::configure(const Device& device, const HeadChange& change) {
  if (change.enabled != device.known.active) {
    kde_output_configuration_v2_enable(configuration_, device.proxy, change.enabled ? 1 : 0);
  }
  if (!change.enabled) return;
  if (change.mode) {
    const auto listed = std::find_if(device.modes.begin(), device.modes.end(), [&](const auto& mode) {
      const msg::Mode& m = mode->mode;
      return m.width_px == change.mode->width_px && m.height_px == change.mode->height_px &&
             m.refresh_mhz == change.mode->refresh_mhz;
    });
    if (listed != device.modes.end()) kde_output_configuration_v2_mode(configuration_, device.proxy, (*listed)->proxy);
  }
  if (change.position) {
    kde_output_configuration_v2_position(configuration_, device.proxy, change.position->first, change.position->second);
  }
  if (change.transform) {
    kde_output_configuration_v2_transform(configuration_, device.proxy, static_cast<std::int32_t>(*change.transform));
  }
  if (change.scale) {
    kde_output_configuration_v2_scale(configuration_, device.proxy, wl_fixed_from_double(*change.scale));
  }
}

void OutputManager::forget_configuration() noexcept {
  if (configuration_ != nullptr) kde_output_configuration_v2_destroy(configuration_);
  configuration_ = nullptr;
}

}  // namespace compositord::agent::kde
