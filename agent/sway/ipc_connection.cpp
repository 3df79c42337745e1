#include "agent/sway/ipc_connection.h"

#include <utility>

namespace compositord::agent::sway {

Result<IpcConnection> IpcConnection::open(const std::string& path, pid_t pid) {
  auto stream = UnixStream::open(path, pid, "sway");
  if (!stream) return tl::unexpected(stream.error());
  return IpcConnection(std::move(*stream));
}

Result<void> IpcConnection::send(IpcType type, std::string_view payload) {
  return stream_.send(serialize_ipc(type, payload));
}

Result<void> IpcConnection::service(std::vector<IpcMessage>& messages) {
  std::string received;
  auto serviced = stream_.service(received);
  parser_.append(received);
  if (auto taken = take_messages(messages); !taken) return taken;
  if (!serviced) return serviced;
  if (stream_.is_ended()) return stream_.closed_early();
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
