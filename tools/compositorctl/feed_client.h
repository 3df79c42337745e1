#pragma once
// One subscriber's socket: connects, subscribes, proves with a hello/<nonce> of its own that the subscriptions are in force,
// and can be thrown away and made anew, in case the broker's endpoint has moved or the network swallowed the connection.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/base/random.h"
#include "common/net/connection_monitor.h"
#include "common/net/poller.h"
#include "common/net/zmq_socket.h"
#include "tools/compositorctl/exit_code.h"

namespace compositord::ctl {

enum class FeedEvent : std::uint8_t {
  kMessage,  // `frames` holds one
  kConnected,
  kDisconnected,  // libzmq connects again by itself
  kDeadline,
  kStopped,       // SIGINT or SIGTERM
  kOutputClosed,  // nobody reads our standard output any more
};

class FeedClient {
 public:
  // `context` must outlive it. `stop_fd` as in BusSettings.
  FeedClient(net::ZmqContext& context, std::vector<std::string> prefixes, int stop_fd);

  // Connects a new socket and subscribes. Failures: kUsage for the endpoint.
  Outcome<void> open(const std::string& endpoint);
  // Subscribes to a new hello topic and forgets the last one. Gives the topic.
  std::string start_handshake();
  // The next thing that happens, `deadline` at the latest.
  FeedEvent wait(Instant deadline, wire::Frames& frames);

 private:
  std::optional<FeedEvent> look(wire::Frames& frames);
  std::optional<FeedEvent> look_for_end() const;

  net::ZmqContext& context_;
  std::vector<std::string> prefixes_;
  int stop_fd_;
  Random nonces_;
  net::Poller poller_;
  std::optional<net::Sub> socket_;
  std::optional<net::ConnectionMonitor> monitor_;
  std::string hello_topic_;
};

}  // namespace compositord::ctl
