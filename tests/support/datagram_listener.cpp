#include "tests/support/datagram_listener.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/check.h"

namespace compositord::test {

DatagramListener::DatagramListener(const std::filesystem::path& path)
    : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  CHECK(text.size() < sizeof address.sun_path);
  std::copy(text.begin(), text.end(), address.sun_path);
  CHECK(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

DatagramListener::~DatagramListener() { close(fd_); }

std::string DatagramListener::next() {
  pollfd waiting{fd_, POLLIN, 0};
  if (poll(&waiting, 1, 5'000) != 1) return {};
  std::string datagram(1U << 16U, '\0');
  const ssize_t length = recv(fd_, datagram.data(), datagram.size(), 0);
  datagram.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  return datagram;
}

}  // namespace compositord::test
