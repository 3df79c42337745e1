#pragma once
// The broker as a pure state machine: what happens comes in as Input, what must be done goes out as Outputs, time is a
// parameter. Equal inputs give equal outputs, byte for byte. It never blocks and never throws on a peer's data.
//
// One message from socket to reply walks: step() -> on_received() -> a worker's command in Majordomo, or a request, which
// goes to mmi, to titanic, to one of the bus's own services, or through Majordomo to a worker: at once, as one of many
// (group_calls.h), as the first of its repetitions (idempotent_calls.h), or when its time has come (jobs.h).

#include <cstdint>
#include <map>
#include <unordered_map>

#include "broker/core/alert_engine.h"
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
  // Whether the end of a write or a read is waited for: by somebody who is to be told, or by a job.
  bool awaits_store() const noexcept;

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

  // Since when subscribers of the feed have not kept up.
  struct SlowFeed {
    bool is_slow = false;
    Instant since;
    Instant last;                 // when that was last said
    std::uint64_t overflows = 0;  // since then
    std::uint64_t published_before = 0;
  };

  // Whom to answer when the store has.
  struct PendingRead {
    Client client;
    msg::Call call;
    StoreQuery query;
  };

  // Whom to answer when the configuration was read.
  struct PendingReload {
    Client client;
    msg::Call call;  // without its params
    Instant deadline;
  };

  void on(input::Received& received, Instant now, Outputs& out);
  void on(input::TooLarge& rejected, Instant now, Outputs& out);
  void on(input::ConnectionRefused& refused, Instant now, Outputs& out);
  void on(input::BusLoad& load, Instant now, Outputs& out);
  void on(input::SendFailed& failed, Instant now, Outputs& out);
  void on(input::Disconnected& disconnected, Instant now, Outputs& out);
  void on(input::FeedReceived& received, Instant now, Outputs& out);
  void on(input::FeedDropped& dropped, Instant now, Outputs& out);
  void on(input::StoreDone& done, Instant now, Outputs& out);
  void on(input::StoreFile& file, Instant now, Outputs& out);
  void on(input::NoticeEnded& ended, Instant now, Outputs& out);
  void on(input::NoticeDone& done, Instant now, Outputs& out);
  void on(input::StoreAnswered& answered, Instant now, Outputs& out);
  void on(input::Reloaded& reloaded, Instant now, Outputs& out);
  void on(input::CalendarSet& calendar, Instant now, Outputs& out);
  void on(input::Stalled& stalled, Instant now, Outputs& out);
  void on(input::Tick& tick, Instant now, Outputs& out);
  void on(input::Stopping& stopping, Instant now, Outputs& out);

  void on_request(const wire::RoutingId& peer, const wire::Dialect& dialect, wire::mdp::ClientRequest&& request,
                  Instant now, Outputs& out);
  void call_bus_service(const Client& client, const wire::Frames& body, Instant now, Outputs& out);
  void call_group(const Client& client, const msg::Call& call, Now now, Outputs& out);
  void call_compositor(Client client, wire::Frames&& body, Instant now, Outputs& out);
  void call_foreign_service(Client client, wire::Frames&& body, Instant now, Outputs& out);
  // A call that may go to a worker: at once, once for all that repeat it, or kept until it can be carried out.
  bool is_for_a_job(const std::string& service, const msg::RequestHeader& header);
  void accept_call(Client client, const msg::RequestHeader& header, wire::Frames&& body, Instant now, Outputs& out);
  void answer(const Client& client, const msg::Call& call, const Result<Answer>& answer, Outputs& out);
  void refuse(const Client& client, msg::Encoding encoding, const msg::Value& id, const Error& error, Outputs& out);
  Duration deadline_of(const msg::RequestHeader& header) const;
  // What one part of the core has to tell the others, until nothing is left to tell.
  void settle(Instant now, Outputs& out);
  void tell_outcome(Outcome&& outcome, Instant now, Outputs& out);
  void on_alert_timer(TimerKind kind, Instant now, Outputs& out);
  // broker_admin.cpp
  void call_admin(const Client& client, const msg::Call& call, const BusContext& bus, Outputs& out);
  Result<Answer> call_log_level(const msg::Value& params, Outputs& out);
  void set_log_level(Severity level, std::string why, Outputs& out);
  void begin_reload(const Client& client, const msg::Call& call, Instant now, Outputs& out);
  void take_config(input::Reloaded::Taken&& taken, Instant now, Outputs& out);
  // Those whose deadline is until then.
  void end_reloads(Instant until, const Error& error, Outputs& out);
  // How the bus itself does.
  void watch_store(const Result<void>& result, Now now, Outputs& out);
  void watch_set_aside(const input::StoreFile& file, Now now, Outputs& out);
  // All that is in memory, into a store that has nothing of it.
  void store_all(Instant now, Outputs& out);
  void watch_queues(Now now, Outputs& out);
  void watch_feed(Instant now, Outputs& out);
  void bus_tick(Instant now, Outputs& out);
  void bus_stats(Instant now, Outputs& out);
  // Takes out of the log, from the event `first` on, what is over the limit: a flood of bad bytes must not become a flood of
  // log lines.
  void limit_log(std::size_t first, Outputs& out);
  void store_run(Instant now, Outputs& out);
  Depths depths() const;
  BusContext context(const Depths& full, Instant now);
  UnixMs unix_at(Instant now) const noexcept;
  Now both(Instant now) const noexcept { return Now{now, unix_at(now)}; }

  BrokerConfig config_;
  Counters counters_;
  Latencies latencies_;
  input::BusLoad bus_load_;
  TimerQueue timers_;
  Feed feed_;
  Majordomo majordomo_;
  CommitIds commit_ids_;
  AlertEngine alerts_;
  CompositorTable compositors_;
  Jobs jobs_;
  GroupCalls group_calls_;
  IdempotentCalls idempotent_calls_;
  std::unordered_map<std::uint64_t, PendingCommit> pending_commits_;
  CommitIds read_ids_;
  BrokerRun run_;  // this one, as it was last stored
  Instant run_stored_at_;
  Instant forget_at_;
  std::unordered_map<std::uint64_t, PendingRead> pending_reads_;
  std::map<std::uint64_t, PendingReload> pending_reloads_;
  std::uint64_t last_reload_ = 0;
  Severity log_level_;  // may be another than the configured one
  SlowFeed slow_feed_;
  std::int64_t unix_ms_at_origin_ = 0;
  LogBudget log_budget_;
};

}  // namespace compositord::broker
