#pragma once
// One non-blocking connection to sway's IPC socket.

#include <poll.h>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "agent/ipc/unix_stream.h"
#include "agent/process/file_descriptor.h"
#include "agent/sway/ipc_codec.h"
#include "common/base/result.h"

namespace compositord::agent::sway {

class IpcConnection {
 public:
  // Errors: as UnixStream::open().
  static Result<IpcConnection> open(const std::string& path, pid_t pid);
  // On a connected socket; for tests.
  explicit IpcConnection(FileDescriptor socket) : stream_(std::move(socket), "sway") {}

  void poll_fds(std::vector<pollfd>& fds) const { stream_.poll_fds(fds); }
  // Errors: kLimit when too much is unsent, kNotConnected when the connection broke.
  Result<void> send(IpcType type, std::string_view payload);
  // Sends and reads what is possible now; appends complete messages. Errors: kNotConnected when the other side closed,
  // kMalformed or kTooLarge as the parser says. After an error the connection is of no more use; what was complete
  // before it has been appended.
  Result<void> service(std::vector<IpcMessage>& messages);

 private:
  explicit IpcConnection(UnixStream stream) : stream_(std::move(stream)) {}
  Result<void> take_messages(std::vector<IpcMessage>& messages);

  UnixStream stream_;
  IpcParser parser_;
};

}  // namespace compositord::agent::sway
