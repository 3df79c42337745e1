#pragma once
// A subscription that lives: connects, proves with a hello/<nonce> of its own that its prefixes are subscribed to, notices
// when the connection is lost or the feed falls silent, and comes back by itself, with a new socket where the old one
// may be dead without knowing. Beside the prefixes it subscribes to bus/tick, which breaks the silence each second.
//
// Thread rule: of one thread; what waits is next(), and only it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/base/random.h"
#include "common/base/result.h"
#include "common/feed/feed_message.h"
#include "common/net/connection_monitor.h"
#include "common/net/poller.h"
#include "common/net/zmq_socket.h"

namespace compositord::feed {

class Subscriber {
 public:
  enum class Step : std::uint8_t {
    kMessage,    // message() is new
    kHandshake,  // a connection was made, and hello_topic() subscribed to behind everything else
    kAway,       // the feed is lost, why() tells how; once, until a message has come again
    kMalformed,  // what came is no message of a feed, why() tells
    kNoFeed,     // nothing has said hello to us within hello_timeout: this is hardly a feed
    kDeadline,
    kWatched,  // something happened to a descriptor of Settings::watched
  };

  // A descriptor beside the socket, with the events of poll(2) that end the waiting; errors always do.
  struct Watched {
    int fd = -1;
    short events = 0;
  };
  struct Settings {
    std::vector<std::string> prefixes;
    Duration hello_timeout;  // of the first connection
    std::vector<Watched> watched;
  };
  // Where the feed is. Asked before the first connection, and again when the feed has fallen silent: a broker that came back
  // may have another one. When it fails then, the last endpoint is tried again.
  using FindFeed = std::function<Result<std::string>()>;

  // The feed is thought to be dead after so long without a message, though TCP may say nothing for a quarter of an hour. Four
  // of the broker's ticks.
  static constexpr Duration kQuietMax = std::chrono::seconds(4);

  // `context` must outlive it.
  Subscriber(net::ZmqContext& context, Settings settings, FindFeed find_feed);

  // Begins to connect. Errors: those of find_feed; kMalformed for an endpoint that is none.
  Result<void> start();
  // The next thing that happens, `deadline` at the latest. Errors: kMalformed, when find_feed gave an endpoint that is none.
  Result<Step> next(Instant deadline = kNever);

  const FeedMessage& message() const noexcept { return message_; }
  const std::string& why() const noexcept { return why_; }
  const std::string& endpoint() const noexcept { return endpoint_; }
  const std::string& hello_topic() const noexcept { return hello_topic_; }
  bool said_hello() const noexcept { return said_hello_; }  // ever
  // Subscribes to a new hello topic and forgets the last one. The caller doesn't get kHandshake for it.
  const std::string& start_handshake();

 private:
  enum class Event : std::uint8_t { kMessage, kConnected, kDisconnected, kDeadline, kWatched };
  Event wait(Instant deadline, wire::Frames& frames);
  std::optional<Event> look(wire::Frames& frames);
  bool something_watched() const;
  Result<void> open();
  Step take(const wire::Frames& frames);
  // Nothing, when that was said already.
  std::optional<Step> away(std::string why);

  net::ZmqContext& context_;
  Settings settings_;
  FindFeed find_feed_;
  Random nonces_;
  net::Poller poller_;
  std::optional<net::Sub> socket_;
  std::optional<net::ConnectionMonitor> monitor_;
  std::string endpoint_;
  std::string hello_topic_;
  FeedMessage message_;
  std::string why_;
  Instant quiet_until_ = kNever;  // the feed must say something before
  bool said_hello_ = false;
  bool is_away_ = false;
};

}  // namespace compositord::feed
