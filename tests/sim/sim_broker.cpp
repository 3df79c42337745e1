#include "tests/sim/sim_broker.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/wire/mdp_codec.h"

namespace compositord::sim {

namespace {

using std::chrono::milliseconds;

constexpr Duration kLatenessMin = milliseconds(25);  // as in broker/io
const wire::RoutingId kAsker("asker");

}  // namespace

SimBroker::SimBroker(EventQueue& events, std::uint64_t seed, Digest& digest, Failures& failures, Ledger& ledger,
                     std::function<void(const wire::Frames&)> published)
    : events_(events),
      random_(seed),
      digest_(digest),
      failures_(failures),
      ledger_(ledger),
      published_(std::move(published)),
      loop_(events, failures, kLatenessMin,
            {[this](Duration lateness) { turn(lateness); }, [this] { return core_->next_deadline(); }}) {}

void SimBroker::start() {
  failures_.note("broker started");
  broker::BrokerConfig config;
  config.idem_keep = Ledger::kIdemKeep;
  config.job_keep = Ledger::kJobKeep;  // so that jobs are forgotten, too, and the tables stay small
  core_ = std::make_unique<broker::BrokerCore>(std::move(config), ++epoch_);
  step(broker::input::CalendarSet{unix_ms_at_origin_});
  core_->load(events_.now(), stored_.state(), out_);
  apply_outputs();
  loop_.start();
  for (Link* link : links_) link->broker_started();
}

BrokerEnd any_end(Random& random) {
  constexpr std::array<BrokerEnd, 3> kEnds{BrokerEnd::kStopped, BrokerEnd::kKilled, BrokerEnd::kWithoutPower};
  return kEnds[random.below(kEnds.size())];
}

void SimBroker::stop(BrokerEnd end) {
  if (!up()) return;
  failures_.note(end == BrokerEnd::kStopped  ? "broker stopped"
                 : end == BrokerEnd::kKilled ? "broker killed"
                                             : "broker without power");
  if (end == BrokerEnd::kStopped) {
    step(broker::input::Stopping{});
    check_now();
    apply_outputs();
  }
  loop_.stop();
  core_.reset();
  out_.clear();
  pending_.clear();
  connections_.clear();
  for (Link* link : links_) link->broker_stopped(end != BrokerEnd::kWithoutPower);
}

// ---- connections

void SimBroker::opened(const wire::RoutingId& id, Link& link) { connections_[id] = &link; }

void SimBroker::closed(const wire::RoutingId& id) {
  if (connections_.erase(id) > 0) push(broker::input::Disconnected{id});
}

void SimBroker::receive(const wire::RoutingId& id, wire::Frames frames) {
  if (connections_.contains(id)) push(broker::input::Received{id, std::move(frames)});
}

void SimBroker::report_close_in_error(const wire::RoutingId& id) { push(broker::input::Disconnected{id}); }

void SimBroker::set_calendar(std::int64_t unix_ms_at_origin) {
  calendar_max_ = std::max(calendar_max_, calendar());
  unix_ms_at_origin_ = unix_ms_at_origin;
  push(broker::input::CalendarSet{unix_ms_at_origin});
}

void SimBroker::push(broker::Input input) {
  if (!up()) return;
  pending_.push_back(std::move(input));
  loop_.wake();
}

// ---- a turn of the loop

void SimBroker::turn(Duration lateness) {
  if (lateness > Duration{}) step(broker::input::Stalled{lateness});
  for (broker::Input& input : std::exchange(pending_, {})) step(std::move(input));
  step(broker::input::Tick{});
  apply_outputs();
}

void SimBroker::step(broker::Input input) {
  core_->step(events_.now(), std::move(input), out_);
  if (++steps_ % check_every_ == 0) check_now();
}

void SimBroker::check_now() {
  if (up() && !core_->check_invariants()) failures_.add("the broker's invariants do not hold");
}

void SimBroker::apply_outputs() {
  digest_.add(events_.now());
  broker::Outputs out = std::exchange(out_, {});
  for (broker::StoreWrite& write : out.store_writes) commit(std::move(write));
  for (const broker::StoreRead& read : out.store_reads) push(broker::input::StoreAnswered{read.read_id, {}});
  for (broker::Send& send : out.sends) {
    digest_.add(send.peer.value());
    digest_.add(send.frames);
    if (send.peer == kAsker) {
      answer_ = std::move(send.frames);
      continue;
    }
    const auto it = connections_.find(send.peer);
    if (it == connections_.end()) {
      push(broker::input::SendFailed{send.peer, broker::SendError::kUnreachable, send.request});
    } else if (!it->second->deliver(send.peer, std::move(send.frames))) {
      push(broker::input::SendFailed{send.peer, broker::SendError::kFull, send.request});
    }
  }
  for (const wire::Frames& frames : out.publishes) {
    digest_.add(frames);
    published_(frames);
  }
  for (const msg::Alert& alert : out.notices) notify(alert);
  for (const LogEvent& event : out.log) {
    std::string text = "broker: " + to_text(event);
    digest_.add(text);
    failures_.note(std::move(text));
  }
}

void SimBroker::commit(broker::StoreWrite write) {
  // One thread commits, in order; a disk that is busy takes its time.
  const bool busy = random_.chance(1, 50);
  const Duration takes =
      busy ? random_.between(milliseconds(100), milliseconds(800)) : random_.between(milliseconds(1), milliseconds(10));
  // What waits for long goes to the disk together, as in broker/store: a site of a thousand does not wait for half a minute.
  const bool joins = last_commit_at_ > events_.now() + std::chrono::seconds(1);
  last_commit_at_ = std::max(last_commit_at_, events_.now()) + (joins ? Duration{} : takes);
  events_.at(last_commit_at_, [this, epoch = epoch_, write = std::move(write)] {
    if (!up() || epoch != epoch_) return;  // it died with the broker
    Result<void> result;
    if (store_failing_) {
      result = fail(Status::kStore, "the disk is full");
    } else {
      stored_.keep(write.record);
      calendar_max_ = std::max(calendar_max_, calendar());
      if (const auto* job = std::get_if<broker::JobRecord>(&write.record)) ledger_.stored(*job, calendar_max_);
    }
    push(broker::input::StoreDone{write.commit_id, std::move(result)});
  });
}

void SimBroker::notify(const msg::Alert& alert) {
  if (!notifier_) return;
  notifier_(alert);
  const broker::input::NoticeDone done{alert.alert, alert.change};
  events_.after(random_.between(milliseconds(1), milliseconds(200)), [this, epoch = epoch_, done] {
    if (epoch == epoch_) push(done);
  });
}

msg::Value SimBroker::ask(const std::string& service, const std::string& method, msg::Value params) {
  msg::Call call;
  call.header.id = msg::Value(1);
  call.header.method = method;
  call.params = std::move(params);
  wire::mdp::ClientRequest request{service, msg::serialize_call(call)};
  answer_.reset();
  push(broker::input::Received{kAsker, wire::serialize(wire::Dialect{}, std::move(request))});
  if (!answer_) return {};
  auto parsed = wire::parse_from_broker(std::move(*answer_));
  const auto* message = parsed ? std::get_if<wire::mdp::ClientReply>(&parsed->message) : nullptr;
  const Result<msg::Reply> reply = message != nullptr ? msg::parse_reply(message->body) : fail(Status::kMalformed, "");
  return reply && reply->header.status == 200 ? reply->result : msg::Value();
}

}  // namespace compositord::sim
