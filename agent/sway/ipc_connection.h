#pragma once
// One non-blocking connection to sway's IPC socket.

#include <poll.h>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "agent/process/file_descriptor.h"
#include "agent/sway/ipc_codec.h"
#include "common/base/result.h"

namespace compositord::agent::sway {

class IpcConnection {
 public:
  // Requests are small; more than this unsent means that the other side does not read.
  static constexpr std::size_t kUnsentBytesMax = 64U << 10U;

  // Connects, and makes sure that it is the process `pid` that listens. Errors: as connect_unix(), kForbidden when it is
  // somebody else.
  static Result<IpcConnection> open(const std::string& path, pid_t pid);
  // On a connected socket; for tests.
  explicit IpcConnection(FileDescriptor socket) : socket_(std::move(socket)) {}

  void poll_fds(std::vector<pollfd>& fds) const;
  // Errors: kLimit when too much is unsent, kNotConnected when the connection broke.
  Result<void> send(IpcType type, std::string_view payload);
  // Sends and reads what is possible now; appends complete messages. Errors: kNotConnected when the other side closed,
  // kMalformed or kTooLarge as the parser says. After an error the connection is of no more use; what was complete
  // before it has been appended.
  Result<void> service(std::vector<IpcMessage>& messages);

 private:
  Result<void> flush();
  Result<void> take_messages(std::vector<IpcMessage>& messages);

  FileDescriptor socket_;
  std::string unsent_;
  IpcParser parser_;
};

}  // namespace compositord::agent::sway
