#pragma once
// Many agents that have nothing to do: each its own connection, which registers, says READY, and then sends heartbeats.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "tests/bench/raw_socket.h"

namespace compositord::bench {

class IdleAgents {
 public:
  // Agents bench/a<first> … bench/a<first + count - 1> of the broker at `endpoint`.
  IdleAgents(std::string endpoint, std::int64_t first, std::int64_t count);

  // Registers all of them, a few at a time, while those that are done already keep up their heartbeats.
  void enrol();
  // Keeps up the heartbeats until `stop_fd` is at its end.
  void idle(int stop_fd);
  // How many heard DISCONNECT, or nothing at all for longer than they should.
  std::int64_t lost() const noexcept { return lost_; }
  // By how much a heartbeat was sent too late at most. Near the liveness it is the machine, or this process, that failed.
  Duration latest() const noexcept { return latest_; }

 private:
  struct Agent {
    explicit Agent(RawContext& context) : socket(context, ZMQ_DEALER) {}
    RawSocket socket;
    Instant heartbeat_due;
    Instant heard;
    bool lost = false;
  };
  void open_next();
  void take_registered();
  // Sends the heartbeats that are due, and reads what these agents were sent. Returns when the next one is due.
  Instant beat(Instant now);
  void read(Agent& agent, Instant now);

  RawContext context_;
  std::string endpoint_;
  std::int64_t next_;
  std::int64_t end_;
  std::deque<std::unique_ptr<Agent>> registering_;
  std::deque<std::unique_ptr<Agent>> idle_;  // the front is due first: all have the same interval
  std::int64_t lost_ = 0;
  Duration latest_{};
};

}  // namespace compositord::bench
