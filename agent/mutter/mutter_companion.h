#pragma once
// What Mutter, also as the library of gnome-shell, offers on its session bus: the configuration of its outputs, and their pictures.

#include <memory>
#include <string>
#include <vector>

#include "agent/dbus/name_owner.h"
#include "agent/dbus/session_bus.h"
#include "agent/mutter/output_manager.h"
#include "agent/mutter/screen_cast.h"
#include "agent/wayland/companion.h"

namespace compositord::agent::mutter {

class MutterCompanion final : public Companion {
 public:
  MutterCompanion(const Peer& compositor, std::string name);

  void poll_fds(std::vector<pollfd>& fds) const override { bus_.poll_fds(fds); }
  Instant next_deadline() const noexcept override;
  void service(Instant now, DriverOutputs& out) override;
  bool take_changed() noexcept override { return std::exchange(changed_, false); }
  bool is_asking() const noexcept override;
  agent::OutputManager* output_manager() noexcept override { return &outputs_; }
  void support(std::vector<msg::CommandSupport>& commands, const std::string& compositor) const override;
  Result<std::unique_ptr<Capture>> begin_capture(const ScreenshotRequest& request,
                                                 const std::vector<KnownOutput>& outputs) override {
    return screen_cast_.begin(request, outputs, name_);
  }
  void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
               Instant deadline, DriverOutputs& out) override;
  void on_gone(DriverOutputs&) override {}

 private:
  std::string name_;
  dbus::SessionBus bus_;
  dbus::NameOwner owner_;
  OutputManager outputs_;
  ScreenCast screen_cast_;
  std::string obstacle_;  // as the commands' reasons have it
  bool changed_ = false;
};

}  // namespace compositord::agent::mutter
