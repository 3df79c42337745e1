#include "tests/sim/sim_client.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "common/wire/mdp_codec.h"
#include "tests/sim/sim_broker.h"

namespace compositord::sim {

namespace {

using std::chrono::milliseconds;

constexpr Duration kDefaultDeadline = std::chrono::seconds(10);  // BrokerConfig's
constexpr Duration kStoreMax = std::chrono::seconds(30);         // a job is answered when the store has taken it
constexpr Duration kAllKnown = std::chrono::minutes(2);          // then every compositor has registered and is on disk
constexpr Duration kLatencyMax = milliseconds(250);              // of two ways through the network

}  // namespace

SimClient::SimClient(EventQueue& events, std::uint64_t seed, SimBroker& broker, Failures& failures, Ledger& ledger,
                     std::string name, std::vector<std::string> compositors)
    : events_(events),
      random_(seed),
      broker_(broker),
      failures_(failures),
      ledger_(ledger),
      name_(std::move(name)),
      compositors_(std::move(compositors)),
      link_(events, random_.next(), broker, name_,
            {[] {}, [this] { disconnected(); }, [this](wire::Frames frames) { received(std::move(frames)); }}) {}

void SimClient::start() {
  link_.open();
  next_call();
  look_for_overdue();
}

void SimClient::excuse_until(Instant until) { excused_until_ = std::max(excused_until_, until); }

void SimClient::next_call() {
  events_.after(random_.between(milliseconds(50), milliseconds(2'000)), [this] {
    if (!asking_) return;
    if (link_.connected()) ask();
    next_call();
  });
}

msg::Call SimClient::make_call(std::string& service, Open& open) {
  const std::string& id = compositors_[random_.below(compositors_.size())];
  const std::uint64_t kind = random_.below(14);
  if (kind == 0) return make_task(ledger_.idem_task(random_, broker_.epoch(), id), service, open);
  if (kind == 1) {
    open.queued = true;
    return make_task(ledger_.job_task(random_, id), service, open);
  }
  msg::Call call;
  call.header.id = msg::Value(last_id_);
  open.deadline = kDefaultDeadline;
  if (random_.chance(3, 4)) {
    const auto ms = static_cast<std::int64_t>(100 + random_.below(7'000));
    call.header.deadline_ms = ms;
    open.deadline = milliseconds(ms);
  }
  switch (kind) {
    case 2:
      service = "bus.status";
      call.header.method = "get";
      call.params.set("id", id);
      return call;
    case 3:
      service = "bus.manifest";
      call.header.method = "list";
      call.params.set("limit", std::int64_t{20});  // whole lists of a large site would take most of the time
      return call;
    case 4:
      service = "nobody";  // offers this service
      call.header.method = "anything";
      return call;
    case 5:
      service = "bus.group";
      make_group_call(call, open);
      return call;
    default:
      service = "compositor/" + id;
      call.header.method = random_.chance(1, 8) ? "output.mode" : "output.scale";
      return call;
  }
}

msg::Call SimClient::make_task(const Task& task, std::string& service, Open& open) {
  service = "compositor/" + task.compositor;
  open.mark = task.mark;
  open.deadline = open.queued ? kStoreMax : task.deadline;
  msg::Call call;
  call.header.id = msg::Value(last_id_);
  call.header.method = "output.scale";
  call.header.deadline_ms = to_ms(task.deadline);
  if (!task.key.empty()) call.header.idem = task.key;
  call.params.set("mark", task.mark);
  if (open.queued) {
    call.header.queue = true;
    call.header.idempotent = task.idempotent;
    call.header.ttl_ms = static_cast<std::int64_t>(1'000 + random_.below(60'000));
  }
  return call;
}

// The compositors of a host, or of ten or a hundred hosts whose numbers begin alike.
void SimClient::make_group_call(msg::Call& call, Open& open) {
  const std::string& id = compositors_[random_.below(compositors_.size())];
  const std::size_t slash = id.find('/');
  open.pattern = id.substr(0, random_.chance(1, 2) ? slash : slash - 1);
  call.header.method = "call";
  call.params.set("selector", msg::Value::map({{"ids", msg::Value::array({msg::Value(open.pattern + "*")})}}));
  call.params.set("method", "output.scale");
  call.params.set("batch", static_cast<std::int64_t>(random_.below(4)));
  if (random_.chance(1, 2)) call.params.set("max_fail", static_cast<std::int64_t>(random_.below(4)));
}

void SimClient::ask() {
  std::string service;
  Open open;
  open.asked_at = events_.now();
  ++last_id_;
  msg::Call call = make_call(service, open);
  call.encoding = random_.chance(1, 2) ? msg::Encoding::kMsgpack : msg::Encoding::kJson;
  open.what = service + " " + call.header.method + (open.mark.empty() ? "" : " of " + open.mark);
  open.old = random_.chance(1, 4);
  const wire::Dialect dialect{open.old ? wire::MdpVersion::k01 : wire::MdpVersion::k02, open.old};
  open_[last_id_] = std::move(open);
  wire::mdp::ClientRequest request{service, msg::serialize_call(call)};
  link_.send(wire::serialize(dialect, std::move(request)));
}

void SimClient::received(wire::Frames frames) {
  auto parsed = wire::parse_from_broker(std::move(frames));
  const auto* message = parsed ? std::get_if<wire::mdp::ClientReply>(&parsed->message) : nullptr;
  if (message == nullptr) return;  // DISCONNECT, after rubbish that looked like a worker's
  const Result<msg::Reply> reply = msg::parse_reply(message->body);
  const std::int64_t* id = reply ? reply->header.id.if_int() : nullptr;
  const auto it = id != nullptr ? open_.find(*id) : open_.end();
  if (it == open_.end()) {
    if (id != nullptr) failures_.add(fmt::format("{}: call {} was answered twice, or never made", name_, *id));
    return;
  }
  if (!message->final) return received_part(it->second, *reply);
  const Open open = std::move(it->second);
  open_.erase(it);
  if (overdue(open)) failures_.add(fmt::format("{}: {} was answered too late", name_, open.what));
  ++ends_[reply->header.status];
  if (!open.pattern.empty()) return check_group(open, *reply);
  if (open.mark.empty()) return;
  if (!open.queued) return ledger_.idem_answered(open.mark, open.asked_at, *reply);
  const msg::Value* job = reply->result.find("job");
  if (reply->header.status == 202) ledger_.job_accepted(open.mark, job != nullptr ? *job->if_string() : std::string());
}

void SimClient::received_part(Open& open, const msg::Reply& reply) {
  const msg::Value* id = reply.result.find("id");
  const msg::Value* status = reply.result.find("status");
  const bool sound = id != nullptr && id->is_string() && status != nullptr && status->if_int() != nullptr;
  if (!sound || !open.parts.emplace(*id->if_string(), *status->if_int()).second) {
    failures_.add(fmt::format("{}: a part of {} is unreadable, or came twice", name_, open.what));
  }
}

// One answer that names each target once, and says of it what its part said.
void SimClient::check_group(const Open& open, const msg::Reply& reply) {
  const msg::Value* targets = reply.result.find("targets");
  if (targets == nullptr || targets->if_array() == nullptr) return;  // 404 before anybody has registered
  std::set<std::string> missing;
  // The broker may have been restarted before it could keep all that registered.
  for (const std::string& id : compositors_) {
    if (events_.now() > Instant{} + kAllKnown && id.starts_with(open.pattern)) missing.insert(id);
  }
  for (const msg::Value& row : *targets->if_array()) {
    const std::string id = *row.find("id")->if_string();
    const std::int64_t* status = row.find("status")->if_int();
    if (!id.starts_with(open.pattern)) failures_.add(name_ + ": a group call named " + id);
    missing.erase(id);
    const auto part = open.parts.find(id);
    const bool told = part != open.parts.end() && status != nullptr && part->second == *status;
    const bool owed = status != nullptr && !open.old;
    if (owed != told) failures_.add(fmt::format("{}: the part and the end of {} differ: {}", name_, open.what, id));
  }
  if (!missing.empty()) failures_.add(fmt::format("{}: a group call left out {}", name_, *missing.begin()));
}

void SimClient::disconnected() {
  ends_[0] += open_.size();
  open_.clear();
}

bool SimClient::overdue(const Open& open) const {
  return open.asked_at > excused_until_ && events_.now() - open.asked_at > open.deadline + kLatencyMax;
}

void SimClient::look_for_overdue() {
  for (auto it = open_.begin(); it != open_.end();) {
    if (!overdue(it->second)) {
      ++it;
      continue;
    }
    failures_.add(fmt::format("{}: {} (call {}) has no answer after its deadline", name_, it->second.what, it->first));
    it = open_.erase(it);
  }
  events_.after(std::chrono::seconds(1), [this] { look_for_overdue(); });
}

void SimClient::check_all_ended() {
  for (const auto& entry : open_) {
    failures_.add(fmt::format("{}: {} (call {}) never ended", name_, entry.second.what, entry.first));
  }
}

void SimClient::say_rubbish() {
  wire::Frames frames(random_.below(6));
  for (wire::Frame& frame : frames) {
    const bool known = random_.chance(1, 3);
    std::string bytes;
    if (known) bytes = random_.chance(1, 2) ? "MDPC02" : "MDPW02";
    for (std::uint64_t n = known ? 0 : random_.below(20); n > 0; --n) bytes += static_cast<char>(random_.below(256));
    frame = std::move(bytes);
  }
  link_.send(std::move(frames));
}

}  // namespace compositord::sim
