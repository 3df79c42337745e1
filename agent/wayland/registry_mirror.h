#pragma once
// Mirrors what a compositor announces: its globals as protocols, its outputs and its seats. Everything that a hostile
// compositor could make long has a maximum; what is over it is counted and left out.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/wayland/output_object.h"
#include "agent/wlr/output_power.h"
#include "common/msg/manifest.h"

struct wl_display;
struct wl_registry;
struct wl_seat;
struct zxdg_output_manager_v1;

namespace compositord::agent {

// An output with what is needed to take its picture.
struct PlacedOutput {
  msg::Output output;
  LogicalSize logical_size;  // 0x0: not told
  std::uint32_t global_name = 0;
  wl_output* proxy = nullptr;
};

class RegistryMirror {
 public:
  static constexpr std::size_t kGlobalsMax = 4096;
  static constexpr std::size_t kOutputsMax = 64;
  static constexpr std::size_t kSeatsMax = 16;

  // Asks for the registry. The display must outlive this object.
  explicit RegistryMirror(wl_display* display);
  RegistryMirror(const RegistryMirror&) = delete;
  RegistryMirror& operator=(const RegistryMirror&) = delete;
  ~RegistryMirror();

  std::vector<msg::Protocol> protocols() const;  // sorted by name; one entry per interface, its highest version
  std::vector<msg::Output> outputs() const;      // in the order of announcement, each with a unique name
  std::vector<msg::InputDevice> inputs() const;  // one per seat and capability

  const std::map<std::uint32_t, msg::Protocol>& globals() const noexcept { return globals_; }  // by registry name
  // The one of this interface that was announced first; nullptr when there is none in this version or a newer one.
  const std::pair<const std::uint32_t, msg::Protocol>* find_global(std::string_view interface,
                                                                   std::uint32_t version = 1) const;
  wl_registry* registry() const noexcept { return registry_; }
  std::vector<wlr::BoundOutput> bound_outputs() const;  // as outputs() names them
  std::vector<PlacedOutput> placed_outputs() const;     // the same

  // Whether anything of the above changed since the last call.
  bool take_changed() noexcept;
  // Whether objects were bound since the last call: their own events arrive within one round trip.
  bool take_bound() noexcept;
  // The registry names of the globals that vanished since the last call.
  std::vector<std::uint32_t> take_removed() noexcept { return std::exchange(removed_, {}); }
  // Announcements left out because a maximum was reached.
  std::uint64_t refused() const noexcept { return refused_; }

 private:
  friend struct RegistryEvents;
  struct Seat {
    RegistryMirror* owner = nullptr;
    wl_seat* proxy = nullptr;
    std::uint32_t global_name = 0;
    std::string name;
    std::uint32_t capabilities = 0;
  };
  void add_global(std::uint32_t name, const std::string& interface, std::uint32_t version);
  void remove_global(std::uint32_t name);
  void add_output(std::uint32_t name, std::uint32_t version);
  void add_seat(std::uint32_t name, std::uint32_t version);
  void add_xdg_manager(std::uint32_t name, std::uint32_t version);

  wl_registry* registry_ = nullptr;
  zxdg_output_manager_v1* xdg_manager_ = nullptr;
  std::uint32_t xdg_version_ = 0;
  std::map<std::uint32_t, msg::Protocol> globals_;
  std::vector<std::unique_ptr<OutputObject>> outputs_;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<std::uint32_t> removed_;
  bool changed_ = false;
  bool bound_ = false;
  std::uint64_t refused_ = 0;
};

}  // namespace compositord::agent
