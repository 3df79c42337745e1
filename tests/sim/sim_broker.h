#pragma once
// The broker's process: a real BrokerCore, a store that takes its time and may fail, and the ends of all connections. It can be
// killed at any moment; the next one begins with what the store had committed.

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "broker/core/broker_core.h"
#include "common/base/random.h"
#include "tests/sim/digest.h"
#include "tests/sim/failures.h"
#include "tests/sim/ledger.h"
#include "tests/sim/link.h"
#include "tests/sim/loop_model.h"
#include "tests/support/kept_records.h"

namespace compositord::sim {

// How a broker ends, and so what its peers notice.
enum class BrokerEnd : std::uint8_t {
  kStopped,       // on purpose: it tells them, and the kernel closes its connections
  kKilled,        // the kernel closes its connections
  kWithoutPower,  // nothing
};
BrokerEnd any_end(Random& random);

class SimBroker {
 public:
  // `published` sees every message of the feed.
  SimBroker(EventQueue& events, std::uint64_t seed, Digest& digest, Failures& failures, Ledger& ledger,
            std::function<void(const wire::Frames&)> published);
  SimBroker(const SimBroker&) = delete;
  SimBroker& operator=(const SimBroker&) = delete;
  void add_link(Link& link) { links_.push_back(&link); }
  // Sees every notice; its end comes back a moment later. Without it, nobody is ever notified.
  void set_notifier(std::function<void(const msg::Alert&)> notifier) { notifier_ = std::move(notifier); }

  void start();
  void stop(BrokerEnd end);
  bool up() const noexcept { return core_ != nullptr; }
  std::uint64_t epoch() const noexcept { return epoch_; }
  const broker::BrokerCore& core() const noexcept { return *core_; }

  // The ends of the connections.
  void opened(const wire::RoutingId& id, Link& link);
  void closed(const wire::RoutingId& id);
  void receive(const wire::RoutingId& id, wire::Frames frames);

  // Faults.
  void pause(Duration duration) { loop_.pause(duration); }
  void set_calendar(std::int64_t unix_ms_at_origin);
  void set_store_failing(bool failing) noexcept { store_failing_ = failing; }
  void report_close_in_error(const wire::RoutingId& id);
  // The tables' agreement costs as much as the tables are long: it is looked at once in so many steps.
  void check_every(std::uint64_t steps) noexcept { check_every_ = steps; }
  void check_now();

  UnixMs calendar() const noexcept { return UnixMs{unix_ms_at_origin_ + events_.now().ns() / 1'000'000}; }

  // Asks at once, beside the network.
  msg::Value ask(const std::string& service, const std::string& method, msg::Value params);

 private:
  void push(broker::Input input);
  void turn(Duration lateness);
  void step(broker::Input input);
  void apply_outputs();
  void commit(broker::StoreWrite write);
  void notify(const msg::Alert& alert);

  EventQueue& events_;
  Random random_;
  Digest& digest_;
  Failures& failures_;
  Ledger& ledger_;
  std::function<void(const wire::Frames&)> published_;
  std::function<void(const msg::Alert&)> notifier_;
  std::vector<Link*> links_;
  LoopModel loop_;
  std::unique_ptr<broker::BrokerCore> core_;
  broker::Outputs out_;
  std::deque<broker::Input> pending_;
  std::unordered_map<wire::RoutingId, Link*> connections_;
  // The store: what would be there after a power cut.
  test::KeptRecords stored_;
  Instant last_commit_at_;
  bool store_failing_ = false;
  std::uint64_t epoch_ = 0;
  std::uint64_t check_every_ = 1;
  std::uint64_t steps_ = 0;
  std::int64_t unix_ms_at_origin_ = 1'700'000'000'000;
  UnixMs calendar_max_;
  std::optional<wire::Frames> answer_;
};

}  // namespace compositord::sim
