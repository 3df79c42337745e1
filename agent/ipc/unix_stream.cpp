#include "agent/ipc/unix_stream.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "agent/process/peer.h"
#include "agent/wayland/connected_display.h"

namespace compositord::agent {

Result<UnixStream> UnixStream::open(const std::string& path, pid_t pid, std::string compositor) {
  auto socket = connect_unix(path);
  if (!socket) return tl::unexpected(socket.error());
  const auto peer = identify_peer(socket->get());
  if (!peer) return tl::unexpected(peer.error());
  if (peer->pid != pid) {
    return fail(Status::kForbidden, fmt::format("{} belongs to process {}, not to {}", path, peer->pid, pid));
  }
  return UnixStream(std::move(*socket), std::move(compositor));
}

void UnixStream::poll_fds(std::vector<pollfd>& fds) const {
  const int events = unsent_.empty() ? POLLIN : POLLIN | POLLOUT;
  fds.push_back(pollfd{socket_.get(), static_cast<short>(events), 0});
}

Result<void> UnixStream::send(std::string_view bytes) {
  if (unsent_.size() + bytes.size() > kUnsentBytesMax) {
    return fail(Status::kLimit, compositor_ + " does not read what is sent on its IPC socket");
  }
  unsent_ += bytes;
  return flush();
}

Result<void> UnixStream::flush() {
  while (!unsent_.empty()) {
    const ssize_t n = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (n < 0) return lost(errno);
    unsent_.erase(0, static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> UnixStream::service(std::string& received) {
  if (auto sent = flush(); !sent) return sent;
  std::array<char, 65536> buffer{};
  for (std::size_t read = 0; read < kBytesPerServiceMax && !ended_;) {
    const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (n < 0) return lost(errno);
    ended_ = n == 0;
    received.append(buffer.data(), static_cast<std::size_t>(n));
    read += static_cast<std::size_t>(n);
  }
  return {};
}

tl::unexpected<Error> UnixStream::closed_early() const {
  return fail(Status::kNotConnected, compositor_ + " closed its IPC connection");
}

tl::unexpected<Error> UnixStream::lost(int error) const {
  return fail(Status::kNotConnected, fmt::format("{}'s IPC connection broke: {}", compositor_, std::strerror(error)));
}

}  // namespace compositord::agent
