#pragma once
// sway's two connections: one for questions and commands, one for events.

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/ipc/ipc_session.h"
#include "agent/sway/ipc_connection.h"
#include "agent/sway/ipc_subscription.h"

namespace compositord::agent::sway {

class SwaySession : public IpcSession {
 public:
  SwaySession(std::string path, pid_t pid) : path_(std::move(path)), pid_(pid) {}

  Result<void> open() override;
  void close() override;
  bool is_open() const noexcept override { return requests_.has_value(); }
  void poll_fds(std::vector<pollfd>& fds) const override;
  Result<void> ask(IpcQuestion question, std::string_view text) override;
  Result<void> service(std::vector<std::string>& replies) override;
  Result<Changes> service_events() override;
  void close_events() override { subscription_.reset(); }
  bool has_events() const noexcept override { return subscription_.has_value(); }
  bool tells_outputs() const noexcept override { return subscription_ && subscription_->tells_outputs(); }
  std::string socket_path() const override { return path_; }

 private:
  std::string path_;
  pid_t pid_;
  std::optional<IpcConnection> requests_;
  std::optional<IpcSubscription> subscription_;
};

}  // namespace compositord::agent::sway
