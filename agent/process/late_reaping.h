#pragma once
// What becomes of a child that was killed and does not end at once, since the kernel holds it (a dead network file system) or somebody
// traces it: it must not hold the loop, and must not be a zombie for as long as we live.

#include <sys/types.h>

#include "agent/process/file_descriptor.h"

namespace compositord::agent {

// Reaps the child when it ends: now, within 50 ms, or in a thread of its own that does nothing else. Without such a thread it stays a
// zombie until we end. `pidfd` is the child's, and `pid` its number.
void reap_killed(pid_t pid, FileDescriptor pidfd) noexcept;

}  // namespace compositord::agent
