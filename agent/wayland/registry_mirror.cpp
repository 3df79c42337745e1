#include "agent/wayland/registry_mirror.h"

#include <wayland-client.h>
#include <xdg-output-unstable-v1-client-protocol.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

// Names of outputs come with version 2.
constexpr std::uint32_t kXdgVersionMin = 2;
constexpr std::uint32_t kXdgVersionMax = 3;
// Seats have their name since version 2, and nothing newer is of interest here.
constexpr std::uint32_t kSeatVersionMax = 2;

}  // namespace

struct RegistryEvents {
  static void global(void* data, wl_registry*, std::uint32_t name, const char* interface, std::uint32_t version) {
    static_cast<RegistryMirror*>(data)->add_global(name, bounded_text(interface), version);
  }
  static void global_remove(void* data, wl_registry*, std::uint32_t name) {
    static_cast<RegistryMirror*>(data)->remove_global(name);
  }
  static void seat_capabilities(void* data, wl_seat*, std::uint32_t capabilities) {
    auto& seat = *static_cast<RegistryMirror::Seat*>(data);
    seat.capabilities = capabilities;
    seat.owner->changed_ = true;
  }
  static void seat_name(void* data, wl_seat*, const char* name) {
    auto& seat = *static_cast<RegistryMirror::Seat*>(data);
    seat.name = bounded_text(name);
    seat.owner->changed_ = true;
  }
  static constexpr wl_registry_listener kRegistry{global, global_remove};
  static constexpr wl_seat_listener kSeat{seat_capabilities, seat_name};
};

RegistryMirror::RegistryMirror(wl_display* display) : registry_(wl_display_get_registry(display)) {
  if (registry_ != nullptr) wl_registry_add_listener(registry_, &RegistryEvents::kRegistry, this);
}

RegistryMirror::~RegistryMirror() {
  outputs_.clear();
  for (const auto& seat : seats_) wl_seat_destroy(seat->proxy);
  if (xdg_manager_ != nullptr) zxdg_output_manager_v1_destroy(xdg_manager_);
  if (registry_ != nullptr) wl_registry_destroy(registry_);
}

std::vector<msg::Protocol> RegistryMirror::protocols() const {
  std::map<std::string, std::uint32_t> highest;
  for (const auto& [name, protocol] : globals_) {
    std::uint32_t& version = highest[protocol.name];
    version = std::max(version, protocol.version);
  }
  std::vector<msg::Protocol> list;
  list.reserve(highest.size());
  for (const auto& [name, version] : highest) list.push_back(msg::Protocol{name, version});
  return list;
}

const std::pair<const std::uint32_t, msg::Protocol>* RegistryMirror::find_global(std::string_view interface,
                                                                                 std::uint32_t version) const {
  const auto found = std::find_if(globals_.begin(), globals_.end(), [&](const auto& global) {
    return global.second.name == interface && global.second.version >= version;
  });
  return found == globals_.end() ? nullptr : &*found;
}

std::vector<msg::Output> RegistryMirror::outputs() const {
  std::vector<msg::Output> list;
  std::set<std::string> names;
  for (const auto& object : outputs_) {
    msg::Output output = object->output();
    if (output.name.empty()) output.name = fmt::format("output-{}", object->global_name());
    if (names.contains(output.name)) output.name += fmt::format("-{}", object->global_name());
    names.insert(output.name);
    list.push_back(std::move(output));
  }
  return list;
}

std::vector<wlr::BoundOutput> RegistryMirror::bound_outputs() const {
  const std::vector<msg::Output> named = outputs();
  std::vector<wlr::BoundOutput> list;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    list.push_back(wlr::BoundOutput{named[i].name, outputs_[i]->global_name(), outputs_[i]->proxy()});
  }
  return list;
}

std::vector<PlacedOutput> RegistryMirror::placed_outputs() const {
  std::vector<msg::Output> named = outputs();
  std::vector<PlacedOutput> list;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const OutputObject& object = *outputs_[i];
    list.push_back(PlacedOutput{std::move(named[i]), object.logical_size(), object.global_name(), object.proxy()});
  }
  return list;
}

std::vector<msg::InputDevice> RegistryMirror::inputs() const {
  static constexpr std::array<std::pair<std::uint32_t, std::string_view>, 3> kKinds{
      {{WL_SEAT_CAPABILITY_POINTER, "pointer"},
       {WL_SEAT_CAPABILITY_KEYBOARD, "keyboard"},
       {WL_SEAT_CAPABILITY_TOUCH, "touch"}}};
  std::vector<msg::InputDevice> list;
  for (const auto& seat : seats_) {
    const std::string name = seat->name.empty() ? fmt::format("seat-{}", seat->global_name) : seat->name;
    const std::size_t before = list.size();
    for (const auto& [bit, kind] : kKinds) {
      if ((seat->capabilities & bit) != 0) list.push_back(msg::InputDevice{name, std::string(kind)});
    }
    if (list.size() == before) list.push_back(msg::InputDevice{name, "seat"});
  }
  return list;
}

bool RegistryMirror::take_changed() noexcept {
  bool changed = std::exchange(changed_, false);
  for (const auto& output : outputs_) changed = output->take_changed() || changed;
  return changed;
}

bool RegistryMirror::take_bound() noexcept { return std::exchange(bound_, false); }

void RegistryMirror::add_global(std::uint32_t name, const std::string& interface, std::uint32_t version) {
  // A name that is in use can't be announced again; a compositor that does so would make us bind without end.
  if (globals_.size() >= kGlobalsMax || globals_.contains(name)) {
    ++refused_;
    return;
  }
  globals_.emplace(name, msg::Protocol{interface, version});
  changed_ = true;
  if (version == 0) return;  // not a version: nothing can be bound with it
  if (interface == wl_output_interface.name) add_output(name, version);
  if (interface == wl_seat_interface.name) add_seat(name, version);
  if (interface == zxdg_output_manager_v1_interface.name) add_xdg_manager(name, version);
}

void RegistryMirror::remove_global(std::uint32_t name) {
  if (globals_.erase(name) == 0) return;
  removed_.push_back(name);
  changed_ = true;
  std::erase_if(outputs_, [&](const auto& output) { return output->global_name() == name; });
  std::erase_if(seats_, [&](const auto& seat) {
    if (seat->global_name != name) return false;
    wl_seat_destroy(seat->proxy);
    return true;
  });
}

void RegistryMirror::add_output(std::uint32_t name, std::uint32_t version) {
  if (outputs_.size() >= kOutputsMax) {
    ++refused_;
    return;
  }
  auto output = std::make_unique<OutputObject>(registry_, name, version);
  if (xdg_manager_ != nullptr) output->bind_xdg(xdg_manager_, xdg_version_);
  outputs_.push_back(std::move(output));
  bound_ = true;
}

void RegistryMirror::add_seat(std::uint32_t name, std::uint32_t version) {
  if (seats_.size() >= kSeatsMax) {
    ++refused_;
    return;
  }
  auto seat = std::make_unique<Seat>();
  seat->owner = this;
  seat->global_name = name;
  seat->proxy =
      static_cast<wl_seat*>(wl_registry_bind(registry_, name, &wl_seat_interface, std::min(version, kSeatVersionMax)));
  if (seat->proxy == nullptr) return;
  wl_seat_add_listener(seat->proxy, &RegistryEvents::kSeat, seat.get());
  seats_.push_back(std::move(seat));
  bound_ = true;
}

void RegistryMirror::add_xdg_manager(std::uint32_t name, std::uint32_t version) {
  if (xdg_manager_ != nullptr || version < kXdgVersionMin) return;
  xdg_version_ = std::min(version, kXdgVersionMax);
  xdg_manager_ = static_cast<zxdg_output_manager_v1*>(
      wl_registry_bind(registry_, name, &zxdg_output_manager_v1_interface, xdg_version_));
  if (xdg_manager_ == nullptr) return;
  for (const auto& output : outputs_) output->bind_xdg(xdg_manager_, xdg_version_);
  bound_ = true;
}

}  // namespace compositord::agent
