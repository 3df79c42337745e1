#pragma once
// The command `reload` of one sway. sway 1.7 says success to the reload of a broken configuration and goes on with what is left of it, so
// a second sway checks the file first; the first one then reloads, and tells of it by an event. Without sockets: the driver sends.
//
//   begin() -> checking -> take_request() says it once -> on_reply() -> on_reloaded(), or kReloadTime is over -> ended

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/driver.h"
#include "agent/ipc/ipc_reload.h"
#include "agent/output/reload_command.h"
#include "agent/process/config_check.h"
#include "agent/process/peer.h"
#include "common/base/instant.h"

namespace compositord::agent::sway {

class Reload : public IpcReload {
 public:
  // It reloads when it is idle next: at once. What is not told after this long did not happen.
  static constexpr Duration kReloadTime = std::chrono::seconds(2);

  void on_version(const std::string& payload) override;
  std::string obstacle() const override;
  void begin(std::uint64_t command_id, const msg::Value& params, const Peer& sway, Instant now, Instant deadline,
             DriverOutputs& out) override;
  void poll_fds(std::vector<pollfd>& fds) const override;
  Instant next_deadline() const noexcept override;
  void service(Instant now, DriverOutputs& out) override;
  std::string take_request() override;
  void on_reply(const std::string& payload, bool events, Instant now, DriverOutputs& out) override;
  void on_reloaded(bool failed, DriverOutputs& out) override;
  void on_connection_lost(DriverOutputs& out) override;
  void on_gone(DriverOutputs& out) override;

 private:
  enum class Step : std::uint8_t { kIdle, kChecking, kAsk, kAsked, kAccepted };
  void succeed(std::string_view how, DriverOutputs& out);
  void fail(Status status, std::string error, DriverOutputs& out);
  void forget();

  ReloadCommand command_;
  std::optional<ConfigCheck> check_;
  Step step_ = Step::kIdle;
  std::string loaded_file_;  // that sway says it has loaded
  std::string config_file_;  // that is being reloaded
  Instant give_up_at_ = kNever;
};

// What sway's own lines in its log say: without times and places in its source, and without those of its libraries.
std::string complaints_in(std::string_view log);

}  // namespace compositord::agent::sway
