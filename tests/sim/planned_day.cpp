#include "tests/sim/planned_day.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace compositord::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<Duration, 1> kHeartbeat{seconds(20)};
constexpr Duration kLast = minutes(40);  // the longest fault and window, their ends told, and a rest
// From a window's end to what it hid; a broker that has just started waits 20 s for the agents first.
constexpr Duration kBackWithin = seconds(5);
constexpr Duration kBackAfterStart = seconds(30);
constexpr Duration kSettled = seconds(5);  // also on a store that takes its time
constexpr Duration kToldWithin = seconds(5);
constexpr Duration kAuditInterval = seconds(5);
constexpr std::size_t kLostMax = 2;  // three of a site are one alert of the site

}  // namespace

PlannedDay::PlannedDay(const DayConfig& config) : Day(config, {10, kHeartbeat, kLast}) {
  broker_.set_notifier([this](const msg::Alert& alert) { notified(alert); });
}

// ---- what happens

void PlannedDay::happen() {
  const std::size_t place = random_.below(places_.size());
  if (random_.chance(1, 30)) {
    stop_broker(random_.between(milliseconds(100), milliseconds(30'000)));
  } else if (places_[place].free_at <= events_.now()) {
    begin_case(place);
  }
}

void PlannedDay::begin_case(std::size_t number) {
  Place& place = places_[number];
  const std::span<const LastingFault> faults = lasting_faults();
  const LastingFault& fault = faults[random_.below(faults.size())];
  const bool loses = std::string_view(fault.about) == "agent";
  if (loses && lost_[place.site] >= kLostMax) return;
  const std::string id = place.agent->id();
  const Instant now = events_.now();
  Case c;
  c.place = number;
  c.fault_begin = now + random_.between(Duration{}, Duration(minutes(8)));
  c.fault_end = c.fault_begin + random_.between(Duration(minutes(4)), Duration(minutes(10)));
  c.kind = random_.chance(1, 2) ? msg::WindowKind::kMaintenance : msg::WindowKind::kSilence;
  c.window_begin = now + random_.between(Duration{}, Duration(minutes(10)));
  const Duration length = random_.between(Duration(minutes(2)), Duration(minutes(10)));
  c.window_end = c.window_begin + length;
  // Made when it begins, or before.
  const Instant made = random_.chance(1, 2) ? c.window_begin : now;
  const Duration begins_in = c.window_begin - made;
  const bool by_label = random_.chance(1, 2);
  if (random_.chance(1, 3)) {
    const Instant stop = c.window_begin + random_.between(Duration(minutes(1)), length);
    events_.at(stop, [this, id] { stop_window(id); });
  } else if (random_.chance(1, 3)) {
    // It ends while there is no broker.
    events_.at(c.window_end - random_.between(milliseconds(100), milliseconds(4'000)),
               [this] { stop_broker(random_.between(Duration(seconds(5)), Duration(seconds(30)))); });
  }
  place.free_at = std::max(c.fault_end, c.window_end) + kOverWithin + kRest;
  if (loses) ++lost_[place.site];
  events_.at(c.fault_begin, [this, id, &fault] { begin_fault(cases_.at(id), fault); });
  events_.at(made, [this, id, length, begins_in, by_label] { make_window(id, length, begins_in, by_label); });
  events_.at(place.free_at - seconds(1), [this, id, loses, number] {
    if (loses) --lost_[places_[number].site];
    finish(id);
  });
  cases_.insert_or_assign(id, std::move(c));
  audit(id);
}

void PlannedDay::begin_fault(Case& c, const LastingFault& fault) {
  SimAgent& agent = *places_[c.place].agent;
  c.about = fault.about;
  c.what = fault.what;
  const Duration lasts = c.fault_end - c.fault_begin;
  note(agent.id(), fault.what, lasts);
  begin(agent, fault, lasts);
}

// Tries again while there is no broker.
void PlannedDay::make_window(const std::string& id, Duration length, Duration begins_in, bool by_label) {
  Case& c = cases_.at(id);
  const bool planned = c.kind == msg::WindowKind::kMaintenance;
  const auto again = [&] {
    events_.after(seconds(1),
                  [=, this] { make_window(id, length, std::max(Duration{}, begins_in - seconds(1)), by_label); });
  };
  if (!broker_.up()) return again();
  msg::Value selector = msg::Value::map();
  if (by_label) {
    selector.set("labels", msg::Value::map({{"seat", fmt::format("s{}", c.place)}}));
  } else {
    msg::Value ids = msg::Value::array();
    ids.push(id);
    selector.set("ids", std::move(ids));
  }
  const std::string comment = fmt::format("{} at {}", id, events_.now().ns());
  broker_.ask("bus.alert", planned ? "maintenance.start" : "silence.add",
              msg::Value::map({{"selector", std::move(selector)},
                               {"author", "sim"},
                               {"comment", comment},
                               {"from", broker_.calendar().ms + to_ms(begins_in)},
                               {"for_ms", to_ms(length)}}));
  const msg::Value list = broker_.ask("bus.alert", planned ? "maintenance.list" : "silence.list", msg::Value::map());
  const msg::Value* windows = list.find("windows");
  if (windows == nullptr) return again();
  for (const msg::Value& window : *windows->if_array()) {
    if (*window.find("comment")->if_string() == comment) c.window = *window.find("window")->if_string();
  }
  if (c.window.empty()) return wrong(c, "a window was asked for, and there is none");
  c.window_begin = events_.now() + begins_in;
  c.window_end = c.window_begin + length;
  settled_at_ = events_.now() + kSettled;
  failures_.note(fmt::format("{}: {} from {} s to {} s", id, c.window, c.window_begin.ns() / 1'000'000'000,
                             c.window_end.ns() / 1'000'000'000));
}

void PlannedDay::stop_window(const std::string& id) {
  Case& c = cases_.at(id);
  if (c.window.empty() || events_.now() + seconds(1) >= c.window_end) return;
  if (!broker_.up()) return events_.after(seconds(1), [this, id] { stop_window(id); });
  broker_.ask("bus.alert", c.kind == msg::WindowKind::kMaintenance ? "maintenance.stop" : "silence.expire",
              msg::Value::map({{"window", c.window}}));
  ++seen_["window stopped"];
  c.window_end = events_.now();
  c.window_begin = std::min(c.window_begin, c.window_end);
  settled_at_ = events_.now() + kSettled;
  failures_.note(fmt::format("{}: {} stopped", id, c.window));
}

void PlannedDay::stop_broker(Duration lasts) {
  if (!broker_.up() || events_.now() < settled_at_ || events_.now() < started_at_ + minutes(2)) return;
  const Instant back = events_.now() + lasts;
  for (auto& [id, c] : cases_) {
    const bool ends = !c.window.empty() && events_.now() < c.window_end && c.window_end <= back;
    if (ends) ++seen_["window ended without a broker"];
    // An alert is not withheld for longer than 0.1 s from people because of a disk.
    c.forgotten |= !c.life.empty() && c.changed_at + kSettled > events_.now();
  }
  broker_.stop(any_end(random_));
  events_.at(back, [this] {
    started_at_ = events_.now();
    broker_.start();
  });
}

// ---- what is told of it

void PlannedDay::wrong(const Case& c, std::string_view what) {
  const auto s = [](Instant at) { return static_cast<double>(at.ns()) / 1e9; };
  failures_.add(
      fmt::format("{} {}: {}: {}, {} from {:.1f} to {:.1f} s, {} from {:.1f} to {:.1f} s, broker since {:.1f} s",
                  places_[c.place].agent->id(), c.about, what, c.last.text, c.what, s(c.fault_begin), s(c.fault_end),
                  name_of(c.kind), s(c.window_begin), s(c.window_end), s(started_at_)));
}

// Whether it has been there for so long, and for so long with a broker.
bool PlannedDay::in_window(const Case& c, Instant at, Duration settled) const {
  return !c.window.empty() && std::max(c.window_begin, started_at_) + settled <= at && at < c.window_end;
}

void PlannedDay::audit(const std::string& id) {
  const auto it = cases_.find(id);
  if (it == cases_.end()) return;
  audit_alert(it->second);
  events_.after(kAuditInterval, [this, id] { audit(id); });
}

void PlannedDay::audit_alert(Case& c) {
  const Instant now = events_.now();
  if (!broker_.up() || now < started_at_ + kBackAfterStart) return;
  const bool planned = c.kind == msg::WindowKind::kMaintenance;
  const bool before = now + milliseconds(2) < c.window_begin;  // the calendar has whole milliseconds
  const bool over = before || (!c.window.empty() && now >= c.window_end + kBackWithin);
  const bool there = c.fault_begin + kSeenWithin <= now && now < c.fault_end;
  const bool fires = !c.life.empty() && c.last.state == msg::AlertState::kFiring;
  const bool hidden = !c.last.suppressed_by.empty() || !c.last.silenced_by.empty();
  if (there && over) {
    if (!fires) return wrong(c, "no alert tells of it");
    if (hidden) return wrong(c, "it is hidden, and its window is over");
    if (c.notices == 0) return wrong(c, "nobody was notified of it");
    ++seen_[before ? "told before a window" : "told after a window"];
  }
  if (there && !planned && !fires) return wrong(c, "a silence keeps it from the feed");
  if (fires && in_window(c, now, kSettled)) {
    if ((planned ? c.last.suppressed_by : c.last.silenced_by) != c.window)
      return wrong(c, "it is not hidden by its window");
    ++seen_[planned ? "hidden by a maintenance" : "hidden by a silence"];
  }
  const msg::Status* status = feed_.status(places_[c.place].agent->id());
  if (status == nullptr) return;
  const bool maintained = status->verdict == msg::Verdict::kMaintenance;
  if (maintained && (over || !planned)) return wrong(c, "its verdict is maintenance");
  if (!maintained && planned && in_window(c, now, kSettled)) return wrong(c, "its verdict is not maintenance");
}

void PlannedDay::finish(const std::string& id) {
  const Case& c = cases_.at(id);
  if (c.forgotten) {
    ++seen_["told by a broker that died before it was on disk"];
  } else {
    if (!c.life.empty() && c.last.state != msg::AlertState::kResolved) return wrong(c, "its alert does not end");
    if (c.notices > 0 && !c.end_noticed) return wrong(c, "nobody was notified of its end");
  }
  if (c.life.empty()) ++seen_["nothing told: all of it in maintenance"];
  if (!c.life.empty() && c.notices == 0) ++seen_["nobody notified"];
  if (c.notices > 0) ++seen_["notified of its beginning and its end"];
  if (!c.life.empty()) over_.emplace(c.life, events_.now());
  cases_.erase(id);
}

void PlannedDay::take(const msg::Alert& alert) {
  const auto it = cases_.find(alert.id);
  if (over_.contains(alert.alert)) return;
  if (it == cases_.end() || it->second.about != alert.about) {
    return failures_.add(fmt::format("{} {}: an alert without a fault: {}", alert.id, alert.about, alert.text));
  }
  Case& c = it->second;
  const Instant now = events_.now();
  const bool first = c.life.empty();
  if (first) c.life = alert.alert;
  if (first || alert.change != c.last.change) c.changed_at = now;
  if (c.life != alert.alert && c.forgotten) c.life = alert.alert;
  c.last = alert;
  if (c.life != alert.alert) return wrong(c, "a second life for one fault");
  if (alert.state == msg::AlertState::kResolved) {
    if (now < c.fault_end) return wrong(c, "it ends before the fault does");
    return;
  }
  if (c.kind != msg::WindowKind::kMaintenance || !in_window(c, now, kSettled)) return;
  if (first) return wrong(c, "it fires in maintenance");
  if (alert.suppressed_by.empty()) return wrong(c, "it is told in maintenance");
}

void PlannedDay::notified(const msg::Alert& alert) {
  const auto it = cases_.find(alert.id);
  if (it == cases_.end()) return failures_.add(fmt::format("{}: a notice without a fault: {}", alert.id, alert.text));
  Case& c = it->second;
  const Instant now = events_.now();
  if (c.forgotten) {
    ++c.notices;
    return;
  }
  if (alert.change == c.notice_change) return wrong(c, "the same news twice");
  const bool first = c.notices == 0;
  c.notice_change = alert.change;
  if (alert.state == msg::AlertState::kResolved) {
    if (first) return wrong(c, "the end of what nobody was notified of");
    if (c.end_noticed) return wrong(c, "its end is news twice");
    c.end_noticed = true;
    return;
  }
  ++c.notices;
  if (!first && alert.severity <= c.notice_severity) return wrong(c, "it is news twice");
  c.notice_severity = alert.severity;
  // Of the end of anything else the agent tells as soon as there is a broker.
  if (now > c.fault_end + (c.about == "agent" ? kOverWithin : kToldWithin))
    return wrong(c, "it is news when it is over");
  if (in_window(c, now, kSettled)) return wrong(c, "somebody is notified in its window");
}

void PlannedDay::check_all_over() {
  for (const auto& [id, c] : cases_) wrong(c, "is not over");
  for (const auto& [method, key] :
       {std::pair("list", "alerts"), std::pair("silence.list", "windows"), std::pair("maintenance.list", "windows")}) {
    const msg::Value found = broker_.ask("bus.alert", method, msg::Value::map());
    const msg::Value* list = found.find(key);
    if (list == nullptr || !list->if_array()->empty()) {
      failures_.add(fmt::format("at the end all is well and over, but bus.alert {} has something", method));
    }
  }
}

}  // namespace compositord::sim
