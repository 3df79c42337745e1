#pragma once
// wlr-foreign-toplevel-management: the windows of a compositor, as it lists them for taskbars.
// Source: wlr-foreign-toplevel-management-unstable-v1.xml, version 3.
//
// A handle says all it has to say and then `done`; without that it is not there yet. Outputs are named only to those who have
// bound them before.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/windows/window_list.h"
#include "agent/wlr/output_power.h"

struct zwlr_foreign_toplevel_handle_v1;
struct zwlr_foreign_toplevel_manager_v1;

namespace compositord::agent::wlr {

class Toplevels {
 public:
  static constexpr const char* kGlobal = "zwlr_foreign_toplevel_manager_v1";
  // Beyond this they are counted only.
  static constexpr std::size_t kHandlesMax = 1024;

  Toplevels(wl_registry* registry, std::uint32_t global_name, std::uint32_t version);
  Toplevels(const Toplevels&) = delete;
  Toplevels& operator=(const Toplevels&) = delete;
  ~Toplevels();

  // Those that have said all. `outputs`: what they may lie on.
  WindowList list(const std::vector<BoundOutput>& outputs) const;

 private:
  friend struct ToplevelEvents;
  struct Handle {
    Toplevels* owner = nullptr;
    zwlr_foreign_toplevel_handle_v1* proxy = nullptr;
    Window window;
    std::vector<wl_output*> outputs;
    bool is_complete = false;
  };

  zwlr_foreign_toplevel_manager_v1* manager_ = nullptr;
  std::vector<std::unique_ptr<Handle>> handles_;
  std::size_t left_out_ = 0;
};

}  // namespace compositord::agent::wlr
