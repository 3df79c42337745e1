#include "agent/wayland/connected_display.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

Status status_of_connect(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR: return Status::kNotFound;
    case ECONNREFUSED: return Status::kConflict;
    case EAGAIN: return Status::kLimit;
    case EACCES:
    case EPERM: return Status::kForbidden;
    default: return Status::kFailed;
  }
}

}  // namespace

Result<FileDescriptor> connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(Status::kMalformed, fmt::format("the socket path \"{}\" has {} bytes, allowed are 1 to {}", path,
                                                path.size(), sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  socklen_t size = sizeof address;
  if (path.front() == '@') {
    address.sun_path[0] = '\0';
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());  // each byte of the name counts
  }
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.is_open()) return fail(Status::kFailed, fmt::format("no socket: {}", std::strerror(errno)));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    const int error = errno;
    return fail(status_of_connect(error), fmt::format("{}: {}", path, std::strerror(error)));
  }
  return fd;
}

}  // namespace compositord::agent
