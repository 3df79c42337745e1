#pragma once
// Watches one process that isn't our child: that it ended, how it ended, and what it is doing.
//
// How it ended comes from the kernel, in this order: the pidfd (Linux 6.15, once somebody reaped the process), the
// zombie's /proc/PID/stat, and else whatever the pidfd says within kCauseWait. All of it without being the parent.

#include <poll.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/process/file_descriptor.h"
#include "agent/process/peer.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::agent {

class ProcessWatch {
 public:
  // Long enough for a parent that waits for its child, short against the 0.2 s in which an end must be reported.
  static constexpr Duration kCauseWait = std::chrono::milliseconds(100);

  // Errors: as open_pidfd().
  static Result<ProcessWatch> open(const Peer& peer);

  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept { return give_up_at_; }
  // How it ended, as soon as that is known or known to stay unknown; none before. Once told, told again at each call.
  std::optional<ProcessEnd> service(Instant now);

  // Whether it has begun to end: then service() will soon tell more.
  bool is_exiting() const;
  // One look at /proc/PID/stat.
  driver_event::CauseSeen look() const;

 private:
  ProcessWatch(FileDescriptor pidfd, Peer peer) : pidfd_(std::move(pidfd)), peer_(std::move(peer)) {}
  std::optional<int> exit_status() const;

  FileDescriptor pidfd_;
  Peer peer_;
  Instant give_up_at_ = kNever;  // set when the process ended and nobody has told how yet
  std::optional<ProcessEnd> end_;
};

// A wait status as a ProcessEnd.
ProcessEnd end_from_wait_status(int status) noexcept;
// "killed by signal 9 (SIGKILL)", "exited with code 0", "ended, and the kernel did not tell how".
std::string describe_end(const ProcessEnd& end);

}  // namespace compositord::agent
