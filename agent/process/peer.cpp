#include "agent/process/peer.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "agent/process/process_stat.h"

namespace compositord::agent {

namespace {

std::string read_executable(pid_t pid) {
  const std::string link = fmt::format("/proc/{}/exe", pid);
  std::array<char, 4096> buffer{};
  const ssize_t n = ::readlink(link.c_str(), buffer.data(), buffer.size());
  return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : std::string();
}

void drop_suffix(std::string_view& text, std::string_view suffix) {
  if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
}

}  // namespace

Result<Peer> identify_peer(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return fail(Status::kFailed, fmt::format("the socket's peer is unknown: {}", std::strerror(errno)));
  }
  Peer peer;
  peer.pid = credentials.pid;
  peer.uid = credentials.uid;
  if (peer.pid <= 0) return peer;
  if (const auto stat = read_process_stat(peer.pid)) peer.start_time_ticks = stat->start_time_ticks;
  peer.executable = read_executable(peer.pid);
  return peer;
}

Result<Peer> identify_process(pid_t pid) {
  const auto stat = read_process_stat(pid);
  if (!stat) return tl::unexpected(stat.error());
  Peer peer;
  peer.pid = pid;
  peer.start_time_ticks = stat->start_time_ticks;
  struct stat facts {};
  peer.uid = ::stat(fmt::format("/proc/{}", pid).c_str(), &facts) == 0 ? facts.st_uid : static_cast<uid_t>(-1);
  peer.executable = read_executable(pid);
  return peer;
}

Result<FileDescriptor> open_pidfd(const Peer& peer) {
  if (peer.pid <= 0) return fail(Status::kNotFound, "the peer's process is not visible from here");
  FileDescriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0U)));
  if (!pidfd.is_open()) {
    const Status status = errno == ESRCH ? Status::kNotFound : Status::kFailed;
    return fail(status, fmt::format("process {} can't be watched: {}", peer.pid, std::strerror(errno)));
  }
  // The pid may have been given to somebody else between the two looks; the start time would differ then.
  const auto stat = read_process_stat(peer.pid);
  if (!stat || stat->start_time_ticks != peer.start_time_ticks) {
    return fail(Status::kNotFound, fmt::format("process {} is gone", peer.pid));
  }
  return pidfd;
}

std::string executable_name(const std::string& executable) {
  std::string_view name = executable;
  drop_suffix(name, " (deleted)");
  if (const std::size_t slash = name.rfind('/'); slash != std::string_view::npos) name.remove_prefix(slash + 1);
  drop_suffix(name, "-wrapped");
  if (name.starts_with('.')) name.remove_prefix(1);
  return std::string(name);
}

}  // namespace compositord::agent
