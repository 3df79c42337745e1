#include "common/log/datagram_place.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace compositord::log {

DatagramPlace::DatagramPlace(std::string_view program, std::string path)
    : path_(std::move(path)),
      fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      complaint_(program, "log lines are lost there until it takes them again") {}

DatagramPlace::~DatagramPlace() {
  if (fd_ >= 0) close(fd_);
}

void DatagramPlace::send(const std::string& datagram) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return complaint_.failed(fmt::format("{}: too long a path", path_));
  std::copy(path_.begin(), path_.end(), address.sun_path);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  const ssize_t sent = sendto(fd_, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL, to, sizeof address);
  if (sent >= 0) return complaint_.went_well();
  complaint_.failed(fmt::format("{} takes no log lines: {}", path_, std::generic_category().message(errno)));
}

}  // namespace compositord::log
