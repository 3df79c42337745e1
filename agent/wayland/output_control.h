#pragma once
// The outputs of one compositor through the wlr protocols or KDE's, as far as it announces them: what the heads add to wl_output's
// picture, which commands are possible, and their execution.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/kde/output_manager.h"
#include "agent/output/output_command_runner.h"
#include "agent/wlr/output_manager.h"
#include "agent/wlr/output_power.h"
#include "common/base/instant.h"
#include "common/msg/manifest.h"

struct wl_registry;

namespace compositord::agent {

class OutputControl {
 public:
  // Whether it bound something: its own events arrive within one round trip. The registry must outlive this object.
  bool take_global(wl_registry* registry, std::uint32_t name, const msg::Protocol& global);
  void lose_global(std::uint32_t name);
  // Where no protocol of the registry configures outputs, this one does. It must outlive this object.
  void use_companion(OutputManager* manager) noexcept { companion_ = manager; }
  bool has_power() const noexcept { return power_ != nullptr; }
  // The outputs that are there now; to be called whenever they may have changed.
  void watch_power(const std::vector<wlr::BoundOutput>& outputs);

  // wl_output's picture, with what only the heads know: fractional scales, serial numbers, outputs that are switched off.
  std::vector<KnownOutput> complete(std::vector<msg::Output> outputs) const;
  // Marks what is possible here; the others keep their reasons, or get the compositor's own.
  void support(std::vector<msg::CommandSupport>& commands, const std::string& compositor) const;

  void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
               Instant deadline, DriverOutputs& out) {
    runner_.execute(command_id, method, params, now, deadline, out);
  }
  // Goes on with the commands. `outputs`: wl_output's picture. Never blocks; what it sends waits for the next flush.
  void serve(const std::string& compositor, const std::vector<msg::Output>& outputs, Instant now, DriverOutputs& out);
  // Ends what is over its deadline, also while the connection is broken.
  void tick(Instant now, DriverOutputs& out);
  void on_gone(DriverOutputs& out) { runner_.on_gone(out); }
  Instant next_deadline() const noexcept { return runner_.next_deadline(); }
  bool is_idle() const noexcept { return runner_.is_idle(); }
  bool take_changed() noexcept;

 private:
  OutputManager* manager() const noexcept { return manager_ != nullptr ? manager_.get() : companion_; }
  void send(const OutputCommandRunner::Ask& ask, DriverOutputs& out);
  void add_complaint(std::vector<DriverEvent>& events, std::size_t first) const;

  std::unique_ptr<OutputManager> manager_;
  kde::OutputManager* kde_manager_ = nullptr;  // the same, when it is KDE's, which consists of several globals
  OutputManager* companion_ = nullptr;
  std::unique_ptr<wlr::OutputPower> power_;
  OutputCommandRunner runner_;
};

}  // namespace compositord::agent
