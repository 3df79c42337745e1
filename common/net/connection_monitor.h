#pragma once
// libzmq's socket monitor: connections that came and went, as events to poll for. It tells agents and tools of a broker whose process
// died within a millisecond, where heartbeats need seconds; it tells nothing of a stopped process or a cut cable.

#include <cstdint>
#include <optional>
#include <string>

#include "common/net/zmq_socket.h"

namespace compositord::net {

enum class ConnectionChange : std::uint8_t {
  kReady,     // the handshake is done: from now on messages can be sent (not yet when TCP is merely connected)
  kAccepted,  // a listening socket has a new connection
  kDisconnected,
};

struct ConnectionEvent {
  ConnectionChange change = ConnectionChange::kReady;
  int connection = -1;  // descriptor, -1 with kReady; reused by the kernel after kDisconnected
};

class ConnectionMonitor {
 public:
  // Must not outlive `socket`'s context; may outlive the socket.
  ConnectionMonitor(ZmqContext& context, ZmqSocket& socket);
  ~ConnectionMonitor();
  ConnectionMonitor(const ConnectionMonitor&) = delete;
  ConnectionMonitor& operator=(const ConnectionMonitor&) = delete;

  // The next event, or nothing when none is waiting.
  std::optional<ConnectionEvent> receive();
  void* handle() const noexcept { return pair_; }  // for Poller

 private:
  void* pair_;
};

}  // namespace compositord::net
