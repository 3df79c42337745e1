#pragma once
// A subscription that lives as long as watch and sub do: finds the feed, notices when it falls silent, and comes back by
// itself. What happened meanwhile it says on standard error.

#include <string>
#include <vector>

#include "common/base/instant.h"
#include "tools/compositorctl/feed_client.h"
#include "tools/compositorctl/feed_message.h"
#include "tools/compositorctl/session.h"

namespace compositord::ctl {

class Subscription {
 public:
  enum class Step : std::uint8_t {
    kMessage,    // message() is new
    kHandshake,  // a connection was made, and hello_topic() subscribed to behind everything else
    kEnd,        // SIGINT, SIGTERM, nobody reads any more, or --for has passed
  };

  Subscription(Session& session, std::vector<std::string> prefixes);

  // Finds the feed and begins to connect. Failures: as BusClient's, and kNoBroker when the bus names no fitting feed.
  Outcome<void> start();
  // Failures: kNoBroker, when the feed has not said hello within --timeout of start().
  Outcome<Step> next();
  const FeedMessage& message() const noexcept { return message_; }
  const std::string& hello_topic() const noexcept { return hello_topic_; }
  // A new hello topic; the caller doesn't get kHandshake for it.
  const std::string& start_handshake();

 private:
  Outcome<std::string> find_feed();
  Outcome<void> reopen();
  bool take(const wire::Frames& frames);  // false: no feed message
  void away(std::string why);

  Session& session_;
  FeedClient client_;
  std::string endpoint_;
  std::string hello_topic_;
  FeedMessage message_;
  Instant end_ = kNever;          // --for
  Instant quiet_until_ = kNever;  // the feed must say something before
  bool said_hello_ = false;       // ever
  bool is_away_ = false;
};

}  // namespace compositord::ctl
