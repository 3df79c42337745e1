#include "agent/wayland/layer_shell.h"

#include <wayland-client.h>

#include <fmt/format.h>

#include "agent/wlr/layer_shell_protocol.h"

namespace compositord::agent {

namespace {

constexpr std::uint32_t kCompositorVersion = 3;  // the first with wl_surface.set_buffer_scale

template <class Proxy>
Proxy* bind_global(const RegistryMirror& registry, const wl_interface& interface, std::uint32_t version) {
  const auto* global = registry.find_global(interface.name, version);
  if (global == nullptr) return nullptr;
  return static_cast<Proxy*>(wl_registry_bind(registry.registry(), global->first, &interface, version));
}

}  // namespace

Result<std::unique_ptr<LayerShell>> LayerShell::bind(const RegistryMirror& registry) {
  std::unique_ptr<LayerShell> shell(new LayerShell);
  wlr::LayerGlobals& globals = shell->globals_;
  globals.compositor = bind_global<wl_compositor>(registry, wl_compositor_interface, kCompositorVersion);
  globals.shm = bind_global<wl_shm>(registry, wl_shm_interface, 1);
  globals.layer_shell = bind_global<zwlr_layer_shell_v1>(registry, zwlr_layer_shell_v1_interface, 1);
  if (globals.compositor == nullptr || globals.shm == nullptr || globals.layer_shell == nullptr) {
    return fail(Status::kUnsupported,
                fmt::format("it has no wl_compositor {}, wl_shm and {}", kCompositorVersion, kGlobal));
  }
  return shell;
}

LayerShell::~LayerShell() {
  if (globals_.compositor != nullptr) wl_compositor_destroy(globals_.compositor);
  if (globals_.shm != nullptr) wl_shm_destroy(globals_.shm);
  // Its own request to destroy came with version 3, and the end of the connection does the same.
  if (globals_.layer_shell != nullptr) wl_proxy_destroy(reinterpret_cast<wl_proxy*>(globals_.layer_shell));
}

}  // namespace compositord::agent
