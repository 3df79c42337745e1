#include "agent/process/pidfd_info.h"

#include <sys/ioctl.h>

#include <array>
#include <cstdint>

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

}  // namespace compositord::agent
