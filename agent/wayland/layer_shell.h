#pragma once
// What a surface above all others is made with, bound on one connection.

#include <memory>

#include "agent/wayland/registry_mirror.h"
#include "agent/wlr/card_surface.h"
#include "common/base/result.h"

namespace compositord::agent {

class LayerShell {
 public:
  static constexpr const char* kGlobal = "zwlr_layer_shell_v1";

  // Errors: kUnsupported, the end of the sentence "the compositor …".
  static Result<std::unique_ptr<LayerShell>> bind(const RegistryMirror& registry);
  LayerShell(const LayerShell&) = delete;
  LayerShell& operator=(const LayerShell&) = delete;
  ~LayerShell();

  const wlr::LayerGlobals& globals() const noexcept { return globals_; }

 private:
  LayerShell() = default;
  wlr::LayerGlobals globals_;
};

}  // namespace compositord::agent
