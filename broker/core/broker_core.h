#pragma once
// The broker as a pure state machine: what happens comes in as Input, what must be done goes out as Outputs, time is a
// parameter. Equal inputs give equal outputs, byte for byte. It never blocks and never throws on a peer's data.
//
// One message from socket to reply walks: step() -> on_received() -> a worker's command in Majordomo, or a request, which
// goes to mmi, to titanic, to one of the bus's own services, or through Majordomo to a worker: at once, as one of many
// (group_calls.h), as the first of its repetitions (idempotent_calls.h), or when its time has come (jobs.h).

#include <cstdint>
#include <unordered_map>

#include "broker/core/broker_config.h"
#include "broker/core/bus_services.h"
#include "broker/core/compositor_table.h"
#include "broker/core/counters.h"
#include "broker/core/feed.h"
#include "broker/core/group_calls.h"
#include "broker/core/idempotent_calls.h"
#include "broker/core/input.h"
#include "broker/core/jobs.h"
#include "broker/core/latencies.h"
#include "broker/core/log_budget.h"
#include "broker/core/majordomo.h"
#include "broker/core/outputs.h"
#include "broker/core/record.h"
#include "broker/core/timer_queue.h"

namespace compositord::broker {

class BrokerCore {
 public:
  // `config` must be valid (broker/config checks it). The first inputs must be CalendarSet and then load().
  BrokerCore(BrokerConfig config, std::uint64_t epoch);
  BrokerCore(const BrokerCore&) = delete;
  BrokerCore& operator=(const BrokerCore&) = delete;

  // What the store remembered; once, before the first message.
  void load(Instant now, const StoredState& stored, Outputs& out);
  void step(Instant now, Input input, Outputs& out);  // by value: bodies are moved from socket to socket, not copied
  // When the next Tick is due at the latest; kNever when no timer is pending.
  Instant next_deadline() const noexcept;

  // True when the tables agree with each other. For tests, after every step.
  bool check_invariants() const;
  const Counters& counters() const noexcept { return counters_; }

 private:
  // Whom to tell when a commit has ended.
  struct PendingCommit {
    Client client;
    msg::Reply reply;        // what to answer when it succeeded
    std::string compositor;  // whose manifest it is, or empty
  };

  void on(input::Received& received, Instant now, Outputs& out);
  void on(input::TooLarge& rejected, Instant now, Outputs& out);
  void on(input::SendFailed& failed, Instant now, Outputs& out);
  void on(input::Disconnected& disconnected, Instant now, Outputs& out);
  void on(input::FeedReceived& received, Instant now, Outputs& out);
  void on(input::StoreDone& done, Instant now, Outputs& out);
  void on(input::CalendarSet& calendar, Instant now, Outputs& out);
  void on(input::Stalled& stalled, Instant now, Outputs& out);
  void on(input::Tick& tick, Instant now, Outputs& out);

  void on_request(const wire::RoutingId& peer, const wire::Dialect& dialect, wire::mdp::ClientRequest&& request,
                  Instant now, Outputs& out);
  void call_bus_service(const Client& client, const wire::Frames& body, Instant now, Outputs& out);
  void call_group(const Client& client, const msg::Call& call, Now now, Outputs& out);
  void call_compositor(Client client, wire::Frames&& body, Instant now, Outputs& out);
  void call_foreign_service(Client client, wire::Frames&& body, Instant now, Outputs& out);
  // A call that may go to a worker: at once, once for all that repeat it, or kept until it can be carried out.
  void accept_call(Client client, const msg::RequestHeader& header, wire::Frames&& body, Instant now, Outputs& out);
  void answer(const Client& client, const msg::Call& call, const Result<Answer>& answer, Outputs& out);
  void refuse(const Client& client, msg::Encoding encoding, const msg::Value& id, const Error& error, Outputs& out);
  Duration deadline_of(const msg::RequestHeader& header) const;
  // What one part of the core has to tell the others, until nothing is left to tell.
  void settle(Instant now, Outputs& out);
  void tell_outcome(Outcome&& outcome, Instant now, Outputs& out);
  void bus_tick(Instant now, Outputs& out);
  void bus_stats(Instant now, Outputs& out);
  // Takes out of the log, from the event `first` on, what is over the limit: a flood of bad bytes must not become a flood of
  // log lines.
  void limit_log(std::size_t first, Outputs& out);
  Depths depths() const;
  UnixMs unix_at(Instant now) const noexcept;
  Now both(Instant now) const noexcept { return Now{now, unix_at(now)}; }

  BrokerConfig config_;
  Counters counters_;
  Latencies latencies_;
  TimerQueue timers_;
  Feed feed_;
  Majordomo majordomo_;
  CommitIds commit_ids_;
  CompositorTable compositors_;
  Jobs jobs_;
  GroupCalls group_calls_;
  IdempotentCalls idempotent_calls_;
  std::unordered_map<std::uint64_t, PendingCommit> pending_commits_;
  std::int64_t unix_ms_at_origin_ = 0;
  LogBudget log_budget_;
};

}  // namespace compositord::broker
