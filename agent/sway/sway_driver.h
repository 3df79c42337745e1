#pragma once
// The driver for sway: the Wayland driver for life, death and progress, and sway's IPC for what Wayland does not tell
// (fractional scale, serial numbers, outputs that are switched off) and for the commands.
//
// The IPC is an extra: when it isn't there or breaks, sway is described as any Wayland compositor, and that is a line in
// the log. Nothing here waits for the IPC: a frozen sway owes one reply, and commands end by their deadlines.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/driver.h"
#include "agent/sway/command_runner.h"
#include "agent/sway/ipc_connection.h"
#include "agent/sway/ipc_model.h"
#include "agent/sway/ipc_subscription.h"
#include "agent/sway/reload.h"
#include "agent/wayland/wayland_driver.h"

namespace compositord::agent::sway {

class SwayDriver : public Driver {
 public:
  // How long a description waits for the IPC's part of it.
  static constexpr Duration kFactsWait = std::chrono::milliseconds(250);
  // Where sway has no event for outputs, it is asked: an output switched off must be known within 0.5 s.
  static constexpr Duration kOutputsPoll = std::chrono::milliseconds(300);
  // A reply that is owed for so long is worth a line in the log.
  static constexpr Duration kReplyLate = std::chrono::seconds(2);
  // When sway dies, its IPC may close before anything else tells so. For this long a broken IPC is not yet a fact of its
  // own.
  static constexpr Duration kBrokenWait = std::chrono::milliseconds(150);
  static constexpr Duration kReconnectFirst = std::chrono::seconds(1);
  static constexpr Duration kReconnectMax = std::chrono::seconds(30);

  SwayDriver(std::unique_ptr<WaylandDriver> wayland, std::string ipc_path);

  void poll_fds(std::vector<pollfd>& fds) const override;
  Instant next_deadline() const noexcept override;
  void service(Instant now, DriverOutputs& out) override;
  void start_probe(Instant now, DriverOutputs& out) override;
  void look_at_process(DriverOutputs& out) override;
  void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
               Instant deadline, DriverOutputs& out) override;

 private:
  using OutputStates = std::vector<std::pair<std::string, msg::OutputState>>;
  enum class Owed { kNothing, kVersion, kOutputs, kInputs, kCommand, kReload };

  void take_wayland(DriverOutputs& inner, Instant now, DriverOutputs& out);
  void connect_if_due(Instant now, DriverOutputs& out);
  Result<void> open_ipc();
  void service_ipc(Instant now, DriverOutputs& out);
  void service_subscription(Instant now, DriverOutputs& out);
  void on_reply(const std::string& payload, Instant now, DriverOutputs& out);
  Result<void> take_facts(Owed kind, const std::string& payload);
  void ask_next(Instant now);
  void ipc_broke(Error error, Instant now);
  void ipc_failed(const Error& error, Instant now, DriverOutputs& out);
  void describe_if_due(Instant now, DriverOutputs& out);
  bool facts_complete() const noexcept;
  msg::Manifest manifest() const;
  OutputStates output_states() const;

  std::unique_ptr<WaylandDriver> wayland_;
  std::string ipc_path_;
  bool gone_ = false;

  std::optional<IpcConnection> requests_;
  std::optional<IpcSubscription> subscription_;
  Owed owed_ = Owed::kNothing;
  bool want_outputs_ = false;
  bool want_inputs_ = false;
  Instant reply_late_at_ = kNever;
  Instant poll_outputs_at_ = kNever;
  Instant connect_at_ = kNever;
  std::optional<Error> broken_;  // while kBrokenWait runs
  Instant broken_until_ = kNever;
  Duration reconnect_after_ = kReconnectFirst;
  std::string ipc_trouble_;  // why there is no IPC, for the manifest's reasons

  CommandRunner runner_;
  Reload reload_;
  std::string config_file_;  // that sway has loaded

  std::optional<std::string> version_;
  std::optional<std::vector<KnownOutput>> outputs_;
  std::optional<std::vector<msg::InputDevice>> inputs_;
  std::optional<msg::Manifest> wayland_manifest_;
  OutputStates wayland_states_;

  bool changed_ = false;
  Instant describe_by_ = kNever;
  std::optional<msg::Manifest> described_;
  OutputStates described_states_;
};

}  // namespace compositord::agent::sway
