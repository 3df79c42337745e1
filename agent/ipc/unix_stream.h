#pragma once
// One non-blocking Unix stream connection to a compositor's IPC socket: bytes out, bytes in, both bounded.

#include <poll.h>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "agent/process/file_descriptor.h"
#include "common/base/result.h"

namespace compositord::agent {

class UnixStream {
 public:
  // Requests are small; more than this unsent means that the other side does not read.
  static constexpr std::size_t kUnsentBytesMax = 64U << 10U;
  // One call reads at most about so much; the rest is there at the next, after others had their turn.
  static constexpr std::size_t kBytesPerServiceMax = 1U << 20U;

  // Connects, and makes sure that it is the process `pid` that listens. `compositor`: its name, for error texts.
  // Errors: as connect_unix(), kForbidden when it is somebody else.
  static Result<UnixStream> open(const std::string& path, pid_t pid, std::string compositor);
  UnixStream(FileDescriptor socket, std::string compositor)
      : socket_(std::move(socket)), compositor_(std::move(compositor)) {}

  void poll_fds(std::vector<pollfd>& fds) const;
  // Errors: kLimit when too much is unsent, kNotConnected when the connection broke.
  Result<void> send(std::string_view bytes);
  // Sends and reads what is possible now; appends what came. Errors: kNotConnected when the connection broke. The other side's
  // end is no error here, see is_ended().
  Result<void> service(std::string& received);
  // Whether the other side has closed: nothing follows what was received.
  bool is_ended() const noexcept { return ended_; }
  // What to say when that was too early.
  tl::unexpected<Error> closed_early() const;

 private:
  Result<void> flush();
  tl::unexpected<Error> lost(int error) const;

  FileDescriptor socket_;
  std::string compositor_;
  std::string unsent_;
  bool ended_ = false;
};

}  // namespace compositord::agent
