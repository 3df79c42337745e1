#pragma once
// The broker's one event loop: the only code that waits, reads the clock, and does what the core wants done.
//
// A turn: wait until the core's next deadline or until something is readable; read the clock once (and again at its end, only
// to measure the turn); tell the core how late the
// loop was; what became of the last turn's sends; at most a number of messages, and which connections closed; what the store
// has done; which notices have ended; that time has passed. Then apply the outputs in order: store writes, sends, publishes,
// notices, log.

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "broker/core/broker_core.h"
#include "broker/io/bus_sockets.h"
#include "broker/io/config_reloader.h"
#include "broker/notify/notifiers.h"
#include "broker/store/store_thread.h"
#include "broker/trace/trace_writer.h"
#include "common/log/log.h"

namespace compositord::broker {

class BrokerLoop {
 public:
  // `signal_fd`: a signalfd; any signal on it ends run(). `trace` is told all that goes into the core, `notifiers` tell people
  // of alerts; nullptr: nobody is told. Without `reloader` the configuration is not read again. All that is not given away must
  // outlive the loop.
  BrokerLoop(BusSockets& sockets, StoreThread& store, log::Logger& logger, int signal_fd, TraceWriter* trace = nullptr,
             std::unique_ptr<Notifiers> notifiers = nullptr, ConfigReloader* reloader = nullptr);

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
    bool store = false;
    bool notified = false;
    bool reloaded = false;
    bool hangup = false;
    bool signal = false;
  };
  Ready wait(Instant planned);
  void watch(int fd);
  void take_messages(BrokerCore& core, Instant now);
  std::size_t take(BrokerCore& core, Instant now, net::RouterEvent&& event);
  void take_feed(BrokerCore& core, Instant now);
  void take_store(BrokerCore& core, Instant now);
  void take_notified(BrokerCore& core, Instant now);
  void take_delivered(Notifiers& notifiers, BrokerCore& core, Instant now);
  void take_reloaded(BrokerCore& core, Instant now);
  void ask_reloads();
  void write_log();
  void end_requests(BrokerCore& core);
  void stop_notifiers(BrokerCore& core);
  void notify(const msg::Alert& alert);
  void set_calendar(BrokerCore& core, Instant now);
  void apply_outputs();
  void look_after_sockets(BrokerCore& core, Instant now);
  void look_after_trace();

  BusSockets& sockets_;
  StoreThread& store_;
  log::Logger& logger_;
  int signal_fd_;
  TraceWriter* trace_;
  std::unique_ptr<Notifiers> notifiers_;
  // Those of an earlier configuration, until they have told what they were given.
  std::vector<std::unique_ptr<Notifiers>> retired_;
  ConfigReloader* reloader_;
  int feed_fd_;
  Outputs outputs_;
  // A notice that some of those who are told have not yet ended.
  struct OpenNotice {
    input::NoticeDone done;
    std::size_t receivers = 0;
  };
  std::map<std::string, OpenNotice> open_notices_;  // by dedupe
  std::vector<input::NoticeDone> done_notices_;     // inputs of the next turn
  std::vector<input::Reloaded> refused_reloads_;    // inputs of the next turn
  std::vector<input::SendFailed> failed_sends_;     // of the last turn: inputs of the next one
  std::uint64_t feed_overflows_ = 0;  // publications that found a queue full, which the core was not told of
  bool feed_blocked_ = false;         // since then there were subscribers that take nothing
  Instant sockets_looked_at_;
  input::BusLoad bus_load_;  // as the core knows it
  Instant last_turn_;
  std::int64_t unix_ms_at_origin_ = 0;
  Duration busy_{};             // what the last turn took
  bool feed_undrained_ = true;  // there may be subscriptions that its descriptor does not tell of any more
  int turns_without_wait_ = 0;  // one after the other
  bool stopping_ = false;
};

}  // namespace compositord::broker
