#include "agent/kernel/uevent_socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

constexpr unsigned kKernelGroup = 1;  // 2 is udev's

tl::unexpected<Error> failed() {
  return fail(Status::kFailed, fmt::format("no uevents of the kernel: {}", std::strerror(errno)));
}

}  // namespace

Result<UeventSocket> UeventSocket::open() {
  FileDescriptor socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  if (!socket.is_open()) return failed();
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelGroup;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed();
  return UeventSocket(std::move(socket));
}

Result<UeventSocket::Heard> UeventSocket::service() {
  Heard heard;
  std::array<char, kMessageBytesMax> buffer{};
  for (int i = 0; i < kMessagesPerServiceMax; ++i) {
    sockaddr_nl sender{};
    socklen_t size = sizeof sender;
    const ssize_t n = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC,
                                 reinterpret_cast<sockaddr*>(&sender), &size);
    if (n < 0 && errno == EAGAIN) return heard;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOBUFS) {
      heard.lost_some = true;
      continue;
    }
    if (n < 0) return failed();
    const bool of_kernel = size == sizeof sender && sender.nl_family == AF_NETLINK && sender.nl_pid == 0;
    if (!of_kernel || static_cast<std::size_t>(n) > buffer.size()) continue;
    if (auto event = parse_uevent(std::string_view(buffer.data(), static_cast<std::size_t>(n)))) {
      heard.events.push_back(std::move(*event));
    }
  }
  return heard;
}

}  // namespace compositord::agent
