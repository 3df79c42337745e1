#pragma once
// A real broker core in virtual time, seen through the frames of its ROUTER. Nothing here knows Majordomo: the tests write
// each frame by hand, so that our own codec can't be right by agreeing with itself.

#include <string>
#include <string_view>
#include <vector>

#include "broker/core/broker_core.h"

namespace compositord::testing {

using wire::Frames;
using Messages = std::vector<Frames>;

// A broker whose plain workers and waiting requests have these times.
broker::BrokerConfig with_heartbeat(Duration interval, int liveness);
broker::BrokerConfig with_plain_expiry(Duration expiry);

class RawBus {
 public:
  explicit RawBus(const broker::BrokerConfig& config = {});

  // A message from the connection that ROUTER calls `peer`.
  void from(const std::string& peer, Frames frames);
  // Time passes; what falls due, happens.
  void pass(Duration duration);
  // The same, while `peer` sends `sign` four times a second.
  void pass_while(const std::string& peer, const Frames& sign, Duration duration);
  // What was sent to `peer` and not asked for yet, the oldest first.
  Messages to(const std::string& peer);
  // How many messages that wait for nobody's asking yet, to whomever.
  std::size_t unread() const noexcept { return sent_.size(); }

  const broker::Counters& counters() const { return core_.counters(); }

 private:
  void step(broker::Input input);

  broker::BrokerCore core_;
  Instant now_;
  std::vector<broker::Send> sent_;
};

}  // namespace compositord::testing
