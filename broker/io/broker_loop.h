#pragma once
// The broker's one event loop: the only code that waits, reads the clock, and does what the core wants done.
//
// A turn: wait until the core's next deadline or until something is readable; read the clock once (and again at its end, only
// to measure the turn); tell the core how late the
// loop was; what became of the last turn's sends; which connections closed; at most a number of messages; what the store
// has done; that time has passed. Then apply the outputs in order: store writes, sends, publishes, log.

#include <cstdint>
#include <memory>
#include <vector>

#include "broker/core/broker_core.h"
#include "broker/io/bus_sockets.h"
#include "broker/store/store_thread.h"
#include "broker/trace/trace_writer.h"
#include "common/log/log.h"
#include "common/net/poller.h"

namespace compositord::broker {

class BrokerLoop {
 public:
  // `signal_fd`: a signalfd; any signal on it ends run(). `trace` is told all that goes into the core; nullptr: nobody is. All
  // arguments must outlive the loop.
  BrokerLoop(BusSockets& sockets, StoreThread& store, log::Logger& logger, int signal_fd, TraceWriter* trace = nullptr);

  // Runs the core until a signal comes.
  void run(BrokerCore& core, const StoredState& stored);

 private:
  void load(BrokerCore& core, Instant now, const StoredState& stored);
  // All inputs pass here, so that a trace has them all.
  void step(BrokerCore& core, Instant now, Input input);
  void turn(BrokerCore& core, Instant planned);
  // What has something to be taken, beside the bus.
  struct Ready {
    bool feed = false;
    bool monitor = false;
    bool store = false;
    bool signal = false;
  };
  Ready wait(Instant planned);
  void take_disconnected(BrokerCore& core, Instant now);
  void take_messages(BrokerCore& core, Instant now);
  void take_feed(BrokerCore& core, Instant now);
  void take_store(BrokerCore& core, Instant now);
  void set_calendar(BrokerCore& core, Instant now);
  void apply_outputs();
  void look_after_trace();

  BusSockets& sockets_;
  StoreThread& store_;
  log::Logger& logger_;
  int signal_fd_;
  TraceWriter* trace_;
  net::Poller poller_;
  Outputs outputs_;
  std::vector<input::SendFailed> failed_sends_;  // of the last turn: inputs of the next one
  Instant last_turn_;
  std::int64_t unix_ms_at_origin_ = 0;
  Duration busy_{};             // what the last turn took
  bool undrained_ = true;       // the bus may have messages that its descriptor does not tell of any more
  bool feed_undrained_ = true;  // the same for subscriptions
  int turns_without_poll_ = 0;  // one after the other
  bool stopping_ = false;
};

}  // namespace compositord::broker
