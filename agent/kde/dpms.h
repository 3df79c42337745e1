#pragma once
// KDE's DPMS protocol: whether each output's monitor is awake. Nothing is set here.
// Source: dpms.xml of plasma-wayland-protocols, version 1. What an output supports and its mode come before `done`.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct org_kde_kwin_dpms;
struct org_kde_kwin_dpms_manager;
struct wl_output;
struct wl_registry;

namespace compositord::agent::kde {

class Dpms {
 public:
  static constexpr const char* kGlobal = "org_kde_kwin_dpms_manager";

  Dpms(wl_registry* registry, std::uint32_t global_name);
  Dpms(const Dpms&) = delete;
  Dpms& operator=(const Dpms&) = delete;
  ~Dpms();

  // The proxy must be bound as long as this lives.
  void watch(const std::string& output, wl_output* proxy);
  // None while the compositor hasn't said. A monitor that can't be put to sleep is awake.
  std::optional<bool> is_on(const std::string& output) const;

 private:
  friend struct DpmsEvents;
  struct Watched {
    std::string output;
    org_kde_kwin_dpms* proxy = nullptr;
    bool is_supported = false;
    bool is_awake = true;
    bool is_complete = false;
  };

  org_kde_kwin_dpms_manager* manager_ = nullptr;
  std::vector<std::unique_ptr<Watched>> watched_;
};

}  // namespace compositord::agent::kde
