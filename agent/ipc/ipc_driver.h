#pragma once
// The driver for a compositor with an IPC of its own: the Wayland driver for life, death and progress, and the IPC for what
// Wayland does not tell (sway: fractional scale, serial numbers, outputs that are switched off) and for the commands.
//
// The IPC is an extra: when it isn't there or breaks, the compositor is described as any Wayland compositor, and that is a line
// in the log. Nothing here waits for the IPC: a frozen compositor owes one reply, and commands end by their deadlines.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/driver.h"
#include "agent/ipc/ipc_command_runner.h"
#include "agent/ipc/ipc_dialect.h"
#include "agent/ipc/ipc_reload.h"
#include "agent/ipc/ipc_session.h"
#include "agent/output/reload_command.h"
#include "agent/wayland/wayland_driver.h"

namespace compositord::agent {

class IpcDriver : public Driver {
 public:
  // How long a description waits for the IPC's part of it.
  static constexpr Duration kFactsWait = std::chrono::milliseconds(250);
  // Where no event tells of outputs, they are asked for: an output switched off must be known within 0.5 s.
  static constexpr Duration kOutputsPoll = std::chrono::milliseconds(300);
  // A reply that is owed for so long is worth a line in the log.
  static constexpr Duration kReplyLate = std::chrono::seconds(2);
  // When a compositor dies, its IPC may close before anything else tells so. For this long a broken IPC is not yet a fact of its
  // own.
  static constexpr Duration kBrokenWait = std::chrono::milliseconds(150);
  static constexpr Duration kReconnectFirst = std::chrono::seconds(1);
  static constexpr Duration kReconnectMax = std::chrono::seconds(30);

  IpcDriver(std::unique_ptr<WaylandDriver> wayland, std::unique_ptr<const IpcDialect> dialect,
            std::unique_ptr<IpcSession> session, std::unique_ptr<IpcReload> reload = nullptr);

  void poll_fds(std::vector<pollfd>& fds) const override;
  Instant next_deadline() const noexcept override;
  void service(Instant now, DriverOutputs& out) override;
  void start_probe(Instant now, DriverOutputs& out) override;
  void look_at_process(DriverOutputs& out) override;
  void count_clients(Instant now, DriverOutputs& out) override;
  void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
               Instant deadline, DriverOutputs& out) override;

 private:
  using OutputStates = std::vector<std::pair<std::string, msg::OutputState>>;

  void take_wayland(DriverOutputs& inner, Instant now, DriverOutputs& out);
  void connect_if_due(Instant now, DriverOutputs& out);
  void service_ipc(Instant now, DriverOutputs& out);
  void service_events(Instant now, DriverOutputs& out);
  void on_reply(const std::string& payload, Instant now, DriverOutputs& out);
  Result<void> take_facts(IpcQuestion question, const std::string& payload);
  void ask_next(Instant now);
  void ipc_broke(Error error, Instant now);
  void ipc_failed(const Error& error, Instant now, DriverOutputs& out);
  void describe_if_due(Instant now, DriverOutputs& out);
  bool facts_complete() const noexcept;
  // Why a method can't go by the IPC, empty when it can; none for what is Wayland's alone.
  std::optional<std::string> ipc_obstacle(const std::string& method) const;
  bool is_wayland_command(const std::string& method) const;
  msg::Manifest manifest() const;
  void offer_commands(msg::Manifest& manifest) const;
  OutputStates output_states() const;

  std::unique_ptr<WaylandDriver> wayland_;
  std::unique_ptr<const IpcDialect> dialect_;
  std::unique_ptr<IpcSession> session_;
  bool gone_ = false;

  std::optional<IpcQuestion> owed_;  // what the next reply answers
  bool want_outputs_ = false;
  bool want_inputs_ = false;
  Instant reply_late_at_ = kNever;
  Instant poll_outputs_at_ = kNever;
  Instant connect_at_ = kNever;
  std::optional<Error> broken_;  // while kBrokenWait runs
  Instant broken_until_ = kNever;
  Duration reconnect_after_ = kReconnectFirst;
  std::string ipc_trouble_;  // why there is no IPC, for the manifest's reasons

  IpcCommandRunner runner_;
  std::unique_ptr<IpcReload> reload_;  // none: it is not told by the IPC

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

}  // namespace compositord::agent
