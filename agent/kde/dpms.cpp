#include "agent/kde/dpms.h"

#include <dpms-client-protocol.h>
#include <wayland-client.h>

#include <utility>

namespace compositord::agent::kde {

// The C callbacks. `data` is the output that they are about.
struct DpmsEvents {
  static Dpms::Watched& self(void* data) { return *static_cast<Dpms::Watched*>(data); }
  static void supported(void* data, org_kde_kwin_dpms*, std::uint32_t supported) {
    self(data).is_supported = supported != 0;
  }
  static void mode(void* data, org_kde_kwin_dpms*, std::uint32_t mode) {
    self(data).is_awake = mode == ORG_KDE_KWIN_DPMS_MODE_ON;
  }
  static void done(void* data, org_kde_kwin_dpms*) { self(data).is_complete = true; }
  static constexpr org_kde_kwin_dpms_listener kWatched{supported, mode, done};
};

Dpms::Dpms(wl_registry* registry, std::uint32_t global_name)
    : manager_(static_cast<org_kde_kwin_dpms_manager*>(
          wl_registry_bind(registry, global_name, &org_kde_kwin_dpms_manager_interface, 1))) {}

Dpms::~Dpms() {
  for (const auto& watched : watched_) org_kde_kwin_dpms_release(watched->proxy);
  if (manager_ != nullptr) org_kde_kwin_dpms_manager_destroy(manager_);
}

void Dpms::watch(const std::string& output, wl_output* proxy) {
  if (manager_ == nullptr) return;
  auto watched = std::make_unique<Watched>();
  watched->output = output;
  watched->proxy = org_kde_kwin_dpms_manager_get(manager_, proxy);
  if (watched->proxy == nullptr) return;
  org_kde_kwin_dpms_add_listener(watched->proxy, &DpmsEvents::kWatched, watched.get());
  watched_.push_back(std::move(watched));
}

std::optional<bool> Dpms::is_on(const std::string& output) const {
  for (const auto& watched : watched_) {
    if (watched->output != output || !watched->is_complete) continue;
    return !watched->is_supported || watched->is_awake;
  }
  return std::nullopt;
}

}  // namespace compositord::agent::kde
