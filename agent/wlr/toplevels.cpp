#include "agent/wlr/toplevels.h"

#include <wayland-client.h>
#include <wlr-foreign-toplevel-management-unstable-v1-client-protocol.h>

#include <algorithm>
#include <utility>

namespace compositord::agent::wlr {

namespace {

constexpr std::uint32_t kVersionMax = 3;  // the last one whose events are handled below
// A title is cut when it is told; until then nobody needs more of it than this.
constexpr std::size_t kTextBytesKept = 2 * WindowList::kTextBytesMax;
constexpr std::size_t kOutputsPerWindowMax = 64;

std::string text_of(const char* text) {
  return text == nullptr ? std::string() : std::string(text).substr(0, kTextBytesKept);
}

const char* name_of(std::uint32_t state) {
  switch (state) {
    case ZWLR_FOREIGN_TOPLEVEL_HANDLE_V1_STATE_MAXIMIZED: return "maximized";
    case ZWLR_FOREIGN_TOPLEVEL_HANDLE_V1_STATE_MINIMIZED: return "minimized";
    case ZWLR_FOREIGN_TOPLEVEL_HANDLE_V1_STATE_ACTIVATED: return "activated";
    case ZWLR_FOREIGN_TOPLEVEL_HANDLE_V1_STATE_FULLSCREEN: return "fullscreen";
    default: return nullptr;
  }
}

}  // namespace

// The C callbacks. `data` is the object that owns the proxy.
struct ToplevelEvents {
  using Handle = Toplevels::Handle;
  static Handle& self(void* data) { return *static_cast<Handle*>(data); }

  static void toplevel(void* data, zwlr_foreign_toplevel_manager_v1*, zwlr_foreign_toplevel_handle_v1* proxy) {
    auto& owner = *static_cast<Toplevels*>(data);
    if (owner.handles_.size() >= Toplevels::kHandlesMax) {
      ++owner.left_out_;
      return zwlr_foreign_toplevel_handle_v1_destroy(proxy);
    }
    auto handle = std::make_unique<Handle>();
    handle->owner = &owner;
    handle->proxy = proxy;
    zwlr_foreign_toplevel_handle_v1_add_listener(proxy, &kHandle, handle.get());
    owner.handles_.push_back(std::move(handle));
  }
  static void finished(void*, zwlr_foreign_toplevel_manager_v1*) {}

  static void title(void* data, zwlr_foreign_toplevel_handle_v1*, const char* title) {
    self(data).window.title = text_of(title);
  }
  static void app_id(void* data, zwlr_foreign_toplevel_handle_v1*, const char* app_id) {
    self(data).window.app_id = text_of(app_id);
  }
  static void output_enter(void* data, zwlr_foreign_toplevel_handle_v1*, wl_output* output) {
    if (self(data).outputs.size() < kOutputsPerWindowMax) self(data).outputs.push_back(output);
  }
  static void output_leave(void* data, zwlr_foreign_toplevel_handle_v1*, wl_output* output) {
    std::erase(self(data).outputs, output);
  }
  static void state(void* data, zwlr_foreign_toplevel_handle_v1*, wl_array* states) {
    std::vector<std::string>& known = self(data).window.states;
    known.clear();
    const auto* begin = static_cast<const std::uint32_t*>(states->data);
    for (const std::uint32_t* one = begin; one != begin + states->size / sizeof(std::uint32_t); ++one) {
      const char* name = name_of(*one);
      if (name != nullptr && std::find(known.begin(), known.end(), name) == known.end()) known.emplace_back(name);
    }
  }
  static void done(void* data, zwlr_foreign_toplevel_handle_v1*) { self(data).is_complete = true; }
  static void closed(void* data, zwlr_foreign_toplevel_handle_v1* proxy) {
    Handle& gone = self(data);
    zwlr_foreign_toplevel_handle_v1_destroy(proxy);
    std::erase_if(gone.owner->handles_, [&](const auto& handle) { return handle.get() == &gone; });
  }
  static void parent(void*, zwlr_foreign_toplevel_handle_v1*, zwlr_foreign_toplevel_handle_v1*) {}

  static constexpr zwlr_foreign_toplevel_manager_v1_listener kManager{toplevel, finished};
  static constexpr zwlr_foreign_toplevel_handle_v1_listener kHandle{title, app_id, output_enter, output_leave,
                                                                    state, done,   closed,       parent};
};

Toplevels::Toplevels(wl_registry* registry, std::uint32_t global_name, std::uint32_t version) {
  manager_ = static_cast<zwlr_foreign_toplevel_manager_v1*>(wl_registry_bind(
      registry, global_name, &zwlr_foreign_toplevel_manager_v1_interface, std::min(version, kVersionMax)));
  if (manager_ != nullptr) zwlr_foreign_toplevel_manager_v1_add_listener(manager_, &ToplevelEvents::kManager, this);
}

Toplevels::~Toplevels() {
  for (const auto& handle : handles_) zwlr_foreign_toplevel_handle_v1_destroy(handle->proxy);
  if (manager_ != nullptr) zwlr_foreign_toplevel_manager_v1_destroy(manager_);
}

WindowList Toplevels::list(const std::vector<BoundOutput>& outputs) const {
  WindowList list;
  for (const auto& handle : handles_) {
    if (!handle->is_complete) continue;
    Window window = handle->window;
    for (const BoundOutput& output : outputs) {
      const bool lies_on_it =
          std::find(handle->outputs.begin(), handle->outputs.end(), output.proxy) != handle->outputs.end();
      if (output.proxy != nullptr && lies_on_it) window.outputs.push_back(output.name);
    }
    list.add(std::move(window));
  }
  list.add_uncounted(left_out_);
  return list;
}

}  // namespace compositord::agent::wlr
