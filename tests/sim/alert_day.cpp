#include "tests/sim/alert_day.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace compositord::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t kTrueTime = 1'700'000'000'000;  // Unix ms at the origin, as all clocks have it at first
constexpr std::array<Duration, 3> kHeartbeats{seconds(20), seconds(30), seconds(60)};
constexpr Duration kLast = minutes(20);  // the longest fault, its end told, and a rest

}  // namespace

AlertDay::AlertDay(const DayConfig& config) : Day(config, {25, kHeartbeats, kLast}) {}

// ---- what happens

void AlertDay::happen() {
  const std::uint64_t kind = random_.below(100);
  Place& place = places_[random_.below(places_.size())];
  if (kind == 0) {
    lose_site();
  } else if (kind == 1) {
    restart_broker();
  } else if (kind == 2) {
    set_broker_clock();
  } else if (place.free_at <= events_.now()) {
    kind < 20 ? harmless(place) : fault(place);
  }
}

void AlertDay::fault(Place& place) {
  const Duration lasts = random_.between(Duration(minutes(4)), Duration(minutes(8)));
  SimAgent& agent = *place.agent;
  place.free_at = events_.now() + lasts + kOverWithin + kRest;
  const std::span<const LastingFault> faults = lasting_faults();
  const std::uint64_t kind = random_.below(faults.size() + 1);
  if (kind < faults.size()) {
    expect(agent.id(), faults[kind].about, faults[kind].what, lasts);
    return begin(agent, faults[kind], lasts);
  }
  expect(agent.id(), "clock", "clock of the host wrong", lasts);
  agent.set_calendar(kTrueTime + to_ms(random_.between(Duration(minutes(1)), Duration(std::chrono::hours(9)))));
  events_.after(lasts, [&agent] { agent.set_calendar(kTrueTime); });
}

void AlertDay::harmless(Place& place) {
  SimAgent& agent = *place.agent;
  place.free_at = events_.now() + kRest;
  switch (random_.below(5)) {
    case 0: ++harmless_["heartbeats said twice"]; return agent.stutter(5);
    case 1:
      ++harmless_["agent late"];
      return agent.pause(random_.between(milliseconds(50), agent.heartbeat_interval()));
    case 2: {
      ++harmless_["close of a living connection"];
      if (const wire::RoutingId* id = agent.link().routing_id()) broker_.report_close_in_error(*id);
      return;
    }
    case 3: ++harmless_["broker late"]; return broker_.pause(random_.between(milliseconds(30), milliseconds(900)));
    default:
      ++harmless_["network away for a moment"];
      agent.link().set_partitioned(true);
      events_.after(random_.between(milliseconds(50), milliseconds(9'000)),
                    [&agent] { agent.link().set_partitioned(false); });
  }
}

// All agents of a site die together: one alert of the site, and none of theirs.
void AlertDay::lose_site() {
  std::map<std::string, bool> all_free;
  for (const Place& place : places_) {
    all_free.try_emplace(place.site, true).first->second &= place.free_at <= events_.now();
  }
  const auto site = std::find_if(all_free.begin(), all_free.end(), [](const auto& entry) { return entry.second; });
  if (site == all_free.end() || !broker_.up()) return;
  const Duration lasts = random_.between(Duration(minutes(4)), Duration(minutes(8)));
  expect("@site/" + site->first, "agent", "site lost", lasts);
  for (Place& place : places_) {
    if (place.site != site->first) continue;
    place.free_at = events_.now() + lasts + kOverWithin + kRest;
    SimAgent& agent = *place.agent;
    agent.kill();
    events_.after(lasts, [&agent] { agent.start(); });
  }
}

// What fires goes on firing, and who was there comes back in the time that is left to it.
void AlertDay::restart_broker() {
  if (!broker_.up()) return;
  ++harmless_["broker killed and started again"];
  broker_.stop(BrokerEnd::kKilled);
  events_.after(random_.between(milliseconds(100), milliseconds(5'000)), [this] { broker_.start(); });
}

// Its calendar jumps back: one alert of the bus, and none of the agents, all of which it then seems to differ from. Those whose
// own clock is wrong, always ahead, keep theirs.
void AlertDay::set_broker_clock() {
  if (broker_clock_free_at_ > events_.now() || !broker_.up()) return;
  const Duration lasts = random_.between(Duration(minutes(4)), Duration(minutes(8)));
  broker_clock_free_at_ = events_.now() + lasts + kOverWithin + kRest;
  expect("@bus", "clock", "clock of the broker wrong", lasts);
  broker_.set_calendar(kTrueTime - to_ms(random_.between(Duration(minutes(1)), Duration(std::chrono::hours(9)))));
  events_.after(lasts, [this] { broker_.set_calendar(kTrueTime); });
}

// ---- what is told of it

void AlertDay::expect(const std::string& id, const std::string& about, std::string what, Duration lasts) {
  note(id, what, lasts);
  const Instant now = events_.now();
  const Key key{id, about};
  faults_.insert_or_assign(key, Fault{std::move(what), now + lasts, {}, false});
  events_.at(now + kSeenWithin, [this, key] {
    const Fault& fault = faults_.at(key);
    if (fault.life.empty()) failures_.add(fmt::format("{}: no alert tells of it: {}", key.first, fault.what));
  });
  events_.at(now + lasts + kOverWithin, [this, key] {
    const Fault& fault = faults_.at(key);
    if (!fault.resolved) return failures_.add(fmt::format("{}: its alert does not end: {}", key.first, fault.what));
    ++lives_[fault.what];
    faults_.erase(key);
  });
}

void AlertDay::take(const msg::Alert& alert) {
  const auto wrong = [&](std::string_view what) {
    failures_.add(fmt::format("{} {}: {}: {}", alert.id, alert.about, what, alert.text));
  };
  const auto it = faults_.find(Key{alert.id, alert.about});
  // A broker that was killed before it knew that the end was told tells of it once more.
  if (it == faults_.end() && over_.contains(alert.alert)) return;
  if (it == faults_.end()) return wrong("an alert without a fault");
  Fault& fault = it->second;
  if (fault.life.empty()) fault.life = alert.alert;
  if (fault.life != alert.alert) return wrong("a second life for one fault");
  if (alert.state != msg::AlertState::kResolved) return;
  if (events_.now() < fault.end) return wrong("it ends before the fault does");
  fault.resolved = true;
  over_.insert(alert.alert);
}

void AlertDay::check_all_over() {
  for (const auto& [key, fault] : faults_) failures_.add(fmt::format("{}: is not over: {}", key.first, fault.what));
  const msg::Value active = broker_.ask("bus.alert", "list", msg::Value::map());
  const msg::Value* alerts = active.find("alerts");
  if (alerts == nullptr || !alerts->if_array()->empty()) failures_.add("at the end an alert fires, and all is well");
}

}  // namespace compositord::sim
