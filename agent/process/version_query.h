#pragma once
// Asks a compositor's executable for its version: runs `EXE --version` beside the loop, with an empty environment, no
// input, bounded output and a deadline after which it is killed.
//
// An executable is run only when that gives nobody new rights: it belongs to root and only root may write it, or its
// compositor runs under our own user; never when it is this very program. It is opened through /proc/PID/exe, so what is
// run is what the compositor runs, whatever lies at that path by now.

#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/process/file_descriptor.h"
#include "agent/process/peer.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::agent {

class VersionQuery {
 public:
  static constexpr Duration kTimeout = std::chrono::seconds(2);
  static constexpr std::size_t kOutputBytesMax = 4096;

  // Errors: kForbidden by the rule above, kFailed when it can't be started.
  static Result<VersionQuery> start(const Peer& peer, Instant now);
  VersionQuery(VersionQuery&& other) noexcept;
  VersionQuery& operator=(VersionQuery&&) = delete;
  ~VersionQuery();  // kills and reaps what still runs

  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept;
  // The version, or empty text when none was told; none while the answer isn't there.
  std::optional<std::string> service(Instant now);

 private:
  VersionQuery() = default;
  void read_output();
  bool reap();

  pid_t child_ = 0;  // 0 once reaped
  FileDescriptor child_pidfd_;
  FileDescriptor output_fd_;
  std::string output_;
  Instant deadline_;
  bool killed_ = false;
};

// The first word that looks like a version: "1.7" of "sway version 1.7", "0.24.0" of "Phoc 0.24.0 - Phone compositor".
std::string version_in_text(std::string_view text);

}  // namespace compositord::agent
