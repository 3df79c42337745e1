#include "agent/sway/ipc_connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "agent/process/peer.h"
#include "agent/wayland/connected_display.h"

namespace compositord::agent::sway {

namespace {

// One call reads at most so much; the rest is there at the next, after others had their turn.
constexpr int kReadsPerServiceMax = 16;

tl::unexpected<Error> lost(int error) {
  return fail(Status::kNotConnected, fmt::format("sway's IPC connection broke: {}", std::strerror(error)));
}

}  // namespace

Result<IpcConnection> IpcConnection::open(const std::string& path, pid_t pid) {
  auto socket = connect_unix(path);
  if (!socket) return tl::unexpected(socket.error());
  const auto peer = identify_peer(socket->get());
  if (!peer) return tl::unexpected(peer.error());
  if (peer->pid != pid) {
    return fail(Status::kForbidden, fmt::format("{} belongs to process {}, not to {}", path, peer->pid, pid));
  }
  return IpcConnection(std::move(*socket));
}

void IpcConnection::poll_fds(std::vector<pollfd>& fds) const {
  const int events = unsent_.empty() ? POLLIN : POLLIN | POLLOUT;
  fds.push_back(pollfd{socket_.get(), static_cast<short>(events), 0});
}

Result<void> IpcConnection::send(IpcType type, std::string_view payload) {
  if (unsent_.size() + payload.size() > kUnsentBytesMax) {
    return fail(Status::kLimit, "sway does not read what is sent on its IPC socket");
  }
  unsent_ += serialize_ipc(type, payload);
  return flush();
}

Result<void> IpcConnection::flush() {
  while (!unsent_.empty()) {
    const ssize_t n = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (n < 0) return lost(errno);
    unsent_.erase(0, static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> IpcConnection::service(std::vector<IpcMessage>& messages) {
  if (auto sent = flush(); !sent) return sent;
  std::array<char, 65536> buffer{};
  for (int reads = 0; reads < kReadsPerServiceMax; ++reads) {
    const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (n < 0) return lost(errno);
    if (n == 0) return fail(Status::kNotConnected, "sway closed its IPC connection");
    parser_.append(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
    if (auto taken = take_messages(messages); !taken) return taken;
  }
  return {};
}

Result<void> IpcConnection::take_messages(std::vector<IpcMessage>& messages) {
  for (;;) {
    auto message = parser_.next();
    if (!message) return tl::unexpected(message.error());
    if (!*message) return {};
    messages.push_back(std::move(**message));
  }
}

}  // namespace compositord::agent::sway
