#include "agent/process/pidfd_info.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "agent/process/file_descriptor.h"

namespace compositord::agent {

namespace {

// The first published size (64 bytes) of `struct pidfd_info`; Debian 12's headers are older than this interface.
// Source: Linux include/uapi/linux/pidfd.h (PIDFD_GET_INFO since 6.13, PIDFD_INFO_EXIT since 6.15).
struct PidfdInfo {
  std::uint64_t mask = 0;
  std::uint64_t cgroup_id = 0;
  std::uint32_t pid = 0;
  std::uint32_t thread_group_id = 0;
  std::uint32_t parent_pid = 0;
  std::array<std::uint32_t, 8> user_and_group_ids{};  // real, effective, saved, file system
  std::int32_t exit_status = 0;
};
static_assert(sizeof(PidfdInfo) == 64, "the kernel knows this structure by its size");

constexpr std::uint64_t kInfoExit = 1U << 3U;

}  // namespace

std::optional<int> exit_status_from_pidfd(int pidfd) noexcept {
  PidfdInfo info;
  info.mask = kInfoExit;
  constexpr unsigned long kGetInfo = _IOC(_IOC_READ | _IOC_WRITE, 0xFFU, 11U, sizeof(PidfdInfo));
  if (::ioctl(pidfd, kGetInfo, &info) != 0) return std::nullopt;
  if ((info.mask & kInfoExit) == 0) return std::nullopt;
  return info.exit_status;
}

bool pidfd_tells_exit_status() noexcept {
  constexpr int kCode = 7;
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) ::_exit(kCode);
  const FileDescriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0U)));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const auto told = pidfd.is_open() ? exit_status_from_pidfd(pidfd.get()) : std::nullopt;
  return told && WIFEXITED(*told) && WEXITSTATUS(*told) == kCode;
}

}  // namespace compositord::agent
