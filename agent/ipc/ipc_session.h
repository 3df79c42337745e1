#pragma once
// The connections to one compositor's own IPC: one question at a time, and what the compositor tells unasked. Never blocks.

#include <poll.h>

#include <string>
#include <string_view>
#include <vector>

#include "agent/ipc/ipc_dialect.h"
#include "common/base/result.h"

namespace compositord::agent {

class IpcSession {
 public:
  // What changed, as far as events tell; what it is now is then asked for.
  struct Changes {
    bool outputs = false;
    bool inputs = false;
    bool reloaded = false;       // the compositor has read its configuration again
    bool reload_failed = false;  // … or could not
  };

  IpcSession() = default;
  virtual ~IpcSession() = default;
  IpcSession(const IpcSession&) = delete;
  IpcSession& operator=(const IpcSession&) = delete;

  // Connects anew. Errors: as UnixStream::open(), kNotFound when the compositor has no IPC.
  virtual Result<void> open() = 0;
  virtual void close() = 0;
  virtual bool is_open() const noexcept = 0;
  virtual void poll_fds(std::vector<pollfd>& fds) const = 0;

  // Not before the reply to the last question was taken. Errors: kLimit when too much is unsent, kNotConnected.
  virtual Result<void> ask(IpcQuestion question, std::string_view text) = 0;
  // Reads what is there and appends the replies. After an error the session is of no more use; what was complete before it has
  // been appended. Errors: kNotConnected, kMalformed, kTooLarge.
  virtual Result<void> service(std::vector<std::string>& replies) = 0;

  // Events come on a connection of their own, that may fail while questions are still answered.
  virtual Result<Changes> service_events() = 0;
  virtual void close_events() = 0;
  virtual bool has_events() const noexcept = 0;
  // Whether a change of outputs is told. Where it isn't, outputs are asked for at intervals.
  virtual bool tells_outputs() const noexcept = 0;
  virtual std::string socket_path() const = 0;  // for the log
};

}  // namespace compositord::agent
