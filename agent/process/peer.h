#pragma once
// Who is at the other end of a Unix socket: facts from the kernel, nothing the peer says of itself.

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "agent/process/file_descriptor.h"
#include "common/base/result.h"

namespace compositord::agent {

struct Peer {
  pid_t pid = 0;  // 0 when the process lives in a pid namespace that isn't ours
  uid_t uid = 0;
  std::uint64_t start_time_ticks = 0;  // tells a later process with the same pid apart; 0 when unknown
  std::string executable;              // "/usr/bin/sway"; empty when /proc doesn't show it to us
};

// The process that listens on the socket `fd` is connected to. With a listener that was handed down by a launcher this
// is the launcher: the kernel records who called listen(2).
// Errors: kFailed when the kernel names nobody.
Result<Peer> identify_peer(int fd);

// The process `pid` itself, for those whose pid somebody trusted tells. Errors: as read_process_stat().
Result<Peer> identify_process(pid_t pid);

// A pidfd for the very process that `peer` names. Errors: kNotFound when it is gone already, kFailed otherwise.
Result<FileDescriptor> open_pidfd(const Peer& peer);

// "sway" of "/usr/bin/sway"; package managers' wrappers (".sway-wrapped") and the kernel's " (deleted)" are taken off.
std::string executable_name(const std::string& executable);

}  // namespace compositord::agent
