#pragma once
// Layer 0: Majordomo. Who works for what, who is alive, and which request is where.
// Sources: rfc.zeromq.org/spec/7 (MDP 0.1), rfc.zeromq.org/spec/18 (MDP 0.2).

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/core/broker_config.h"
#include "broker/core/counters.h"
#include "broker/core/latencies.h"
#include "broker/core/outputs.h"
#include "broker/core/request_table.h"
#include "broker/core/service_table.h"
#include "broker/core/timer_queue.h"
#include "broker/core/worker_table.h"
#include "common/msg/compositor_id.h"
#include "common/msg/envelope.h"
#include "common/msg/status.h"

namespace compositord::broker {

// What became of the link to an agent; the registry turns it into facts and alerts.
struct LinkChange {
  msg::CompositorId id;
  msg::Link link = msg::Link::kLost;
  std::string why;
  Instant last_heard;
};

// What `bus.agent register` or `bus.worker register` agreed on.
struct Admission {
  std::string service;
  std::optional<msg::CompositorId> compositor;  // of an agent
  Duration interval{};
  int liveness = 3;
  int credit = 1;
  bool idempotent = false;
};

// One service, as lists show it.
struct ServiceInfo {
  std::string name;
  std::size_t workers = 0;
  std::size_t waiting = 0;
};

class Majordomo {
 public:
  Majordomo(const BrokerConfig& config, std::uint64_t epoch, TimerQueue& timers, Counters& counters,
            Latencies& latencies);

  // Any message of a known worker is a sign of life. To be called before the message itself is looked at.
  void heard(const wire::RoutingId& peer, Instant now);

  // Commands of workers.
  void on_ready(const wire::RoutingId& peer, const wire::Dialect& dialect, const std::string& service, Instant now,
                Outputs& out);
  void on_reply(const wire::RoutingId& peer, const wire::Dialect& dialect, wire::mdp::WorkerReply&& reply, Instant now,
                Outputs& out);
  void on_heartbeat(const wire::RoutingId& peer, const wire::Dialect& dialect, Instant now, Outputs& out);
  void on_disconnect(const wire::RoutingId& peer, Instant now, Outputs& out);

  // A request for a service that is not the bus's own. With `call` it is Layer 1 and ends with a status by `deadline`.
  void route_plain(Client client, wire::Frames&& body, Instant now, Outputs& out);
  void route_call(Client client, CallMark call, wire::Frames&& body, Duration deadline, Instant now, Outputs& out);

  // Makes `peer` a worker, until READY without work. An older agent of that compositor is sent DISCONNECT.
  // Errors: kConflict when the peer is somebody else already, kLimit.
  Result<void> admit(const wire::RoutingId& peer, const wire::Dialect& dialect, const Admission& admission, Instant now,
                     Outputs& out);
  // The compositor whose admitted agent this peer is.
  const msg::CompositorId* compositor_of(const wire::RoutingId& peer);
  // The agent says goodbye.
  void leave(const wire::RoutingId& peer, Instant now, Outputs& out);
  // The broker is about to end: whoever waits for an answer is told so, and workers get DISCONNECT. Of a job that a worker may have,
  // the journal knows.
  void stop(Instant now, Outputs& out);
  // The configuration was changed.
  void set_limits(const Limits& limits) noexcept { services_.set_limits(limits); }
  bool has_agent(const msg::CompositorId& id) const { return agents_.contains(id); }
  // When the compositor's agent was last heard; nothing when it has none.
  std::optional<Instant> last_heard(const msg::CompositorId& id);
  bool has_workers(const std::string& service) { return worker_count(service) > 0; }
  std::size_t worker_count(const std::string& service);
  // At most `count` services whose names begin with `prefix`, in the order of their names.
  std::vector<ServiceInfo> services(std::string_view prefix, std::size_t count) const;

  // Things that happened to connections. A close is believed only after asking: a HEARTBEAT is sent at once and twice more
  // within the grace time; kUnreachable proves the close, and a connection that takes all of them was closed in error.
  void disconnected(const wire::RoutingId& peer, Instant now, Outputs& out);
  void send_failed(const wire::RoutingId& peer, bool unreachable, RequestToken token, Instant now, Outputs& out);

  void on_timer(const Timer& timer, Instant now, Outputs& out);
  // Our own lateness counts for nobody's silence. (The timers are shifted by their owner.)
  void stalled(Duration lateness);
  // The shortest heartbeat interval agreed with anybody in this epoch.
  Duration shortest_interval() const noexcept { return shortest_interval_; }

  // Whether one of the next three has something.
  bool has_news() const noexcept { return !link_changes_.empty() || !outcomes_.empty() || !ready_services_.empty(); }
  std::vector<LinkChange> take_link_changes();
  // What became of the requests that the broker made by itself, in order.
  std::vector<Outcome> take_outcomes();
  // Services that a worker has said READY for.
  std::vector<std::string> take_ready_services();
  std::size_t worker_count() const noexcept { return workers_.size(); }
  // In the order in which they came.
  const std::map<WorkerId, Worker>& workers() const noexcept { return workers_.all(); }
  std::size_t open_requests() const noexcept { return requests_.size(); }
  std::size_t service_count() const noexcept { return services_.size(); }
  std::size_t waiting_bytes() const noexcept { return services_.waiting_bytes(); }
  bool check_invariants() const;

 private:
  void open_request(Client client, std::optional<CallMark> call, wire::Frames&& body, Duration deadline, Instant now,
                    Outputs& out);
  // Tells whoever asked that there is no answer. For a plain client, which can't be told, `plain_event` is logged.
  void tell_failure(const Client& client, const std::optional<CallMark>& call, Carried carried, const Error& error,
                    LogEvent plain_event, Outputs& out);
  // The same for a request that is not accepted or could not be handed over.
  void refuse(const Client& client, const std::optional<CallMark>& call, const Error& error, Outputs& out);
  // Gives waiting requests to workers that have credit; forgets a service that has neither workers nor requests.
  void serve(Service& service, Instant now, Outputs& out);
  void dispatch(Service& service, Worker& worker, OpenRequest& request, Instant now, Outputs& out);
  void leave_queue(Service& service, OpenRequest& request);
  void forward(OpenRequest& request, bool final, wire::Frames&& body, Outputs& out);
  // Ends a request: its worker gets its credit back, its timer and its entry go.
  void finish(OpenRequest& request, Instant now, Outputs& out);
  // The same without giving the credit to the next request.
  void forget(OpenRequest& request);
  void request_timed_out(OpenRequest& request, Instant now, Outputs& out);
  // Ends it towards whoever asked: a worker that has it may still be busy with it.
  void give_up(OpenRequest& request, const Error& error, LogEvent plain_event, Instant now, Outputs& out);
  // Gives the request of a dead worker to another one, where that can't do harm. False: it must end.
  bool give_back(OpenRequest& request, const Worker& worker, Instant now);

  void take_over(const msg::CompositorId& id, Instant now, Outputs& out);
  void start_timers(Worker& worker, Instant now);
  void check_silence(Worker& worker, Instant now, Outputs& out);
  void ask_whether_connected(Worker& worker, Instant now, Outputs& out);
  void set_doubt(Worker& worker, Doubt doubt, std::string_view why);
  void send_heartbeat(const Worker& worker, Outputs& out);

  enum class Farewell : std::uint8_t { kNone, kDisconnect };
  // Removes a worker and ends what it was doing. `link` is what its compositor's link becomes; nothing: no change.
  void send_disconnect(const Worker& worker, Outputs& out);
  void remove_worker(Worker& worker, std::string_view why, std::optional<msg::Link> link, Farewell farewell,
                     Instant now, Outputs& out);
  void end_requests_of(Worker& worker, Instant now, Outputs& out);
  void refuse_waiting(Service& service, std::string_view why, Outputs& out);
  void expel(const wire::RoutingId& peer, const wire::Dialect& dialect, std::string_view why, Instant now,
             Outputs& out);

  const BrokerConfig& config_;
  TimerQueue& timers_;
  Counters& counters_;
  Latencies& latencies_;
  WorkerTable workers_;
  RequestTable requests_;
  ServiceTable services_;
  std::unordered_map<msg::CompositorId, WorkerId> agents_;
  std::vector<LinkChange> link_changes_;
  std::vector<Outcome> outcomes_;
  std::vector<std::string> ready_services_;
  Duration shortest_interval_;
};

// One message of an answer. A PARTIAL for a client that speaks 0.1, which has none, is dropped and counted.
void send_body(const Client& client, bool final, wire::Frames&& body, Counters& counters, Outputs& out);
// An answer of the bus itself to a call.
void send_reply(const Client& client, const msg::Reply& reply, Counters& counters, Outputs& out);

}  // namespace compositord::broker
