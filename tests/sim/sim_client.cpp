#include "tests/sim/sim_client.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/wire/mdp_codec.h"

namespace compositord::sim {

namespace {

using std::chrono::milliseconds;

constexpr Duration kDefaultDeadline = std::chrono::seconds(10);  // BrokerConfig's
constexpr Duration kLatencyMax = milliseconds(250);              // of two ways through the network

}  // namespace

SimClient::SimClient(EventQueue& events, std::uint64_t seed, SimBroker& broker, Failures& failures, std::string name,
                     std::vector<std::string> compositors)
    : events_(events),
      random_(seed),
      failures_(failures),
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

msg::Call SimClient::make_call(std::string& service, Duration& deadline) {
  msg::Call call;
  call.encoding = random_.chance(1, 2) ? msg::Encoding::kMsgpack : msg::Encoding::kJson;
  call.header.id = msg::Value(++last_id_);
  const std::string& id = compositors_[random_.below(compositors_.size())];
  switch (random_.below(8)) {
    case 0:
      service = "bus.status";
      call.header.method = "get";
      call.params.set("id", id);
      break;
    case 1:
      service = "bus.manifest";
      call.header.method = "list";
      call.params.set("limit", std::int64_t{20});  // whole lists of a large site would take most of the time
      break;
    case 2:
      service = "nobody";  // offers this service
      call.header.method = "anything";
      break;
    default: service = "compositor/" + id; call.header.method = random_.chance(1, 8) ? "output.mode" : "output.scale";
  }
  deadline = kDefaultDeadline;
  if (random_.chance(3, 4)) {
    const auto ms = static_cast<std::int64_t>(100 + random_.below(7'000));
    call.header.deadline_ms = ms;
    deadline = milliseconds(ms);
  }
  return call;
}

void SimClient::ask() {
  std::string service;
  Duration deadline{};
  const msg::Call call = make_call(service, deadline);
  open_[last_id_] = Open{events_.now(), deadline, service + " " + call.header.method};
  wire::mdp::ClientRequest request{service, msg::serialize_call(call)};
  const bool old = random_.chance(1, 4);
  const wire::Dialect dialect{old ? wire::MdpVersion::k01 : wire::MdpVersion::k02, old};
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
  if (overdue(it->second)) failures_.add(fmt::format("{}: {} was answered too late", name_, it->second.what));
  ++ends_[reply->header.status];
  open_.erase(it);
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
    if (known) frame = random_.chance(1, 2) ? "MDPC02" : "MDPW02";
    for (std::uint64_t n = known ? 0 : random_.below(20); n > 0; --n) frame += static_cast<char>(random_.below(256));
  }
  link_.send(std::move(frames));
}

}  // namespace compositord::sim
