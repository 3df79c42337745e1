#pragma once
// The feed's Subscriber as every command has it: finds the feed by asking the bus, ends with SIGINT, SIGTERM, --for and a reader
// that went away, and says on standard error what happened meanwhile.

#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/feed/subscriber.h"
#include "tools/compositorctl/session.h"

namespace compositord::ctl {

class Subscription {
 public:
  enum class Step : std::uint8_t {
    kMessage,    // message() is new
    kHandshake,  // a connection was made, and hello_topic() subscribed to behind everything else
    kIdle,       // `until` has come, or a key
    kEnd,        // SIGINT, SIGTERM, nobody reads any more, or --for has passed
  };

  // `key_fd`: wakes next() when it can be read; -1: none.
  Subscription(Session& session, std::vector<std::string> prefixes, int key_fd = -1);

  // Finds the feed and begins to connect. Failures: as BusClient's, and kNoBroker when the bus names no fitting feed.
  Outcome<void> start();
  // Failures: kNoBroker, when the feed has not said hello within --timeout of start().
  Outcome<Step> next(Instant until = kNever);
  const feed::FeedMessage& message() const noexcept { return subscriber_.message(); }
  const std::string& hello_topic() const noexcept { return subscriber_.hello_topic(); }
  // A new hello topic; the caller doesn't get kHandshake for it.
  const std::string& start_handshake() { return subscriber_.start_handshake(); }

 private:
  Result<std::string> find_feed();
  void take_message();
  Failure no_feed() const;

  Session& session_;
  int key_fd_;
  feed::Subscriber subscriber_;
  Failure find_failure_;  // why find_feed() gave an error
  Instant end_ = kNever;  // --for
  bool is_away_ = false;
};

}  // namespace compositord::ctl
