#pragma once
// The command `reload` of a compositor with lines for an IPC: Hyprland's and niri's. Neither lets its configuration be judged
// beforehand by what the IPC has; what came of it they tell afterwards, by an event or when asked.
//
//   begin() -> kAsk -> kAsked -> kAccepted (the event is waited for) -> kAskErrors -> kErrorsAsked -> ended

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/ipc/ipc_reload.h"
#include "agent/ipc/line_session.h"
#include "agent/output/reload_command.h"
#include "common/base/instant.h"

namespace compositord::agent {

class LineReload : public IpcReload {
 public:
  // It reloads when it is idle next: at once. What is not told after this long did not happen.
  static constexpr Duration kReloadTime = std::chrono::seconds(2);

  // The dialect must outlive this.
  explicit LineReload(const LineDialect& dialect) : dialect_(&dialect) {}

  void on_version(const std::string& payload) override;
  std::string obstacle() const override { return dialect_->reload_obstacle(version_); }
  void begin(std::uint64_t command_id, const msg::Value& params, const Peer& compositor, Instant now, Instant deadline,
             DriverOutputs& out) override;
  void poll_fds(std::vector<pollfd>&) const override {}
  Instant next_deadline() const noexcept override { return std::min(command_.deadline(), give_up_at_); }
  void service(Instant now, DriverOutputs& out) override;
  std::string take_request() override;
  void on_reply(const std::string& payload, bool events, Instant now, DriverOutputs& out) override;
  void on_reloaded(bool failed, DriverOutputs& out) override;
  void on_connection_lost(DriverOutputs& out) override;
  void on_gone(DriverOutputs& out) override;

 private:
  enum class Step : std::uint8_t { kIdle, kAsk, kAsked, kAccepted, kAskErrors, kErrorsAsked };
  void on_accepted(bool events, Instant now, DriverOutputs& out);
  void on_errors(const std::string& payload, DriverOutputs& out);
  void end_told(bool failed, DriverOutputs& out);
  void fail(Status status, std::string error, DriverOutputs& out);
  void forget();

  const LineDialect* dialect_;
  ReloadCommand command_;
  Step step_ = Step::kIdle;
  std::string version_;
  bool was_told_ = false;            // of any reload, since the events began
  std::optional<bool> told_failed_;  // by an event that was faster than the reply
  Instant give_up_at_ = kNever;
};

}  // namespace compositord::agent
