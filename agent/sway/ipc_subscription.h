#pragma once
// sway's events, on a connection of their own: that outputs or inputs changed, or that it has reloaded. What changed is then asked for.

#include <poll.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "agent/sway/ipc_connection.h"
#include "common/base/result.h"

namespace compositord::agent::sway {

class IpcSubscription {
 public:
  struct Seen {
    bool outputs_changed = false;
    bool inputs_changed = false;
    bool reloaded = false;
  };

  // Errors: as IpcConnection::open().
  static Result<IpcSubscription> open(const std::string& path, pid_t pid);
  // On a connection that nobody else uses. Errors: as IpcConnection::send().
  static Result<IpcSubscription> begin(IpcConnection connection);

  void poll_fds(std::vector<pollfd>& fds) const { connection_.poll_fds(fds); }
  // Errors: as IpcConnection::service(), kMalformed when sway refuses even the short list.
  Result<Seen> service();
  // sway 1.7 knows no "output" event, and refuses a whole list that holds it; then the list is sent again without.
  bool tells_outputs() const noexcept { return step_ == Step::kWithOutputs; }

 private:
  enum class Step { kAskedWithOutputs, kWithOutputs, kAskedWithoutOutputs, kWithoutOutputs };

  explicit IpcSubscription(IpcConnection connection) : connection_(std::move(connection)) {}
  Result<void> on_reply(const std::string& payload);

  IpcConnection connection_;
  Step step_ = Step::kAskedWithOutputs;
};

}  // namespace compositord::agent::sway
