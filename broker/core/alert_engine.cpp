#include "broker/core/alert_engine.h"

#include <algorithm>

#include <fmt/format.h>

#include "broker/core/alert_texts.h"
#include "common/base/check.h"
#include "common/base/glob.h"

namespace compositord::broker {

namespace {

// Of one compositor: what a report lists beyond that is no wall any more.
constexpr std::size_t kFaultsMax = 128;
// Of one compositor: whose outputs change without end is told of so often in news_keep, and no more.
constexpr std::size_t kNewsMax = 16;

// Whether nothing can be known of `about` while this fault is there.
bool hides(const Fault& fault, const std::string& about) {
  if (fault.layer == "link") return about == "compositor" || about.starts_with("output/");
  const bool ended = fault.kind == msg::AlertKind::kCompositorUnknown ||
                     fault.kind == msg::AlertKind::kCompositorMissing ||
                     fault.kind == msg::AlertKind::kCompositorExited ||
                     fault.kind == msg::AlertKind::kCompositorCrashed || fault.kind == msg::AlertKind::kCrashLoop;
  return ended && about.starts_with("output/");
}

bool is_hidden(const std::map<std::string, Fault>& wrong, const std::string& about) {
  return std::any_of(wrong.begin(), wrong.end(), [&](const auto& entry) { return hides(entry.second, about); });
}

// News are no state, and a group's coming and going is that of its members.
bool may_flap(msg::AlertKind kind) { return !is_news(kind) && kind != msg::AlertKind::kAgentsLost; }

int rank(msg::Verdict verdict) {
  return verdict == msg::Verdict::kDown ? 2 : verdict == msg::Verdict::kUnknown ? 1 : 0;
}

// One fault for each thing that something is wrong with: a process that is stopped is why its progress froze.
std::map<std::string, Fault> by_about(const std::vector<Fault>& faults) {
  std::map<std::string, Fault> merged;
  for (const Fault& fault : faults) {
    if (merged.size() >= kFaultsMax) break;
    if (fault.planned) continue;
    const auto [it, made] = merged.emplace(about_of_layer(fault.layer), fault);
    if (made) continue;
    Fault& first = it->second;
    if (rank(fault.verdict) <= rank(first.verdict)) continue;
    first.text += "; " + fault.text;
    first.verdict = fault.verdict;  // the kind stays the cause's: that is what can be mended
  }
  return merged;
}

}  // namespace

AlertEngine::AlertEngine(const AlertConfig& config, Feed& feed, TimerQueue& timers, CommitIds& commit_ids,
                         Counters& counters, std::uint64_t epoch)
    : config_(config),
      counters_(counters),
      journal_(feed, timers, commit_ids),
      windows_(commit_ids, epoch),
      timers_(timers),
      epoch_(epoch) {}

void AlertEngine::load(const std::vector<AlertRecord>& alerts, const std::vector<WindowRecord>& windows, Now now,
                       Outputs& out) {
  windows_.load(windows, now.calendar, out);
  for (const AlertRecord& record : alerts) {
    const Result<msg::Value> value = msg::decode_msgpack(record.document);
    auto alert = value ? msg::from_value<msg::Alert>(*value) : fail(Status::kMalformed, value.error().text);
    if (!alert) {
      out.log.push_back(LogEvent(Severity::kError, "store.alert_unreadable").with("alert", record.id));
      continue;
    }
    AlertLife life{std::move(*alert), record.notice, record.delivered, true};
    if (life.notice > life.delivered) {
      // As it is now, under the number that the notifiers knew it by: it may have been acknowledged since.
      out.notices.push_back(life.alert);
      out.notices.back().change = life.notice;
    }
    if (life.alert.state == msg::AlertState::kResolved) {
      ended_.emplace(life.alert.alert, std::move(life));
      continue;
    }
    load_firing(std::move(life), now, out);
  }
  load_members(now, out);
  if (!by_id_.empty()) returned_by_ = now.instant + config_.return_grace;
  arm(now);
}

void AlertEngine::load_firing(AlertLife&& life, Now now, Outputs& out) {
  const Key key{life.alert.id, life.alert.about};
  Track& track = tracks_[key];
  // The disk failed when the earlier one ended: it is over, since there is a later one.
  if (track.life) end_forgotten(key, track, now, out);
  track.phase = Phase::kFiring;
  track.bad = true;
  track.fault = Fault{life.alert.layer, msg::Verdict::kUnknown, life.alert.text, life.alert.kind};
  track.labels = life.alert.labels;
  track.since = life.alert.since;
  if (life.alert.kind == msg::AlertKind::kAgentsLost) {
    for (const std::string& member : life.alert.members) {
      // Lost with others once more: the group before was not ended on the disk.
      for (auto& [group, members] : members_) members.erase(member);
      members_[key.first].insert(member);
    }
  }
  by_id_.emplace(life.alert.alert, key);
  track.life = std::move(life);
  set_due(key, track, now.instant + config_.repeat);
}

void AlertEngine::load_members(Now now, Outputs& out) {
  for (auto& [key, track] : tracks_) {
    const bool group = track.life && track.fault.kind == msg::AlertKind::kAgentsLost;
    if (group && members_[key.first].empty()) end_forgotten(key, track, now, out);
  }
  std::erase_if(members_, [](const auto& group) { return group.second.empty(); });
  for (const auto& [group, members] : members_) {
    for (const std::string& member : members) {
      const Key key{member, "agent"};
      Track& track = tracks_[key];
      if (track.life) end_forgotten(key, track, now, out);
      track.phase = Phase::kInGroup;
      track.bad = true;
      track.group = group;
    }
  }
}

// Its end is told once more: with the number that it had when the disk failed.
void AlertEngine::end_forgotten(const Key& key, Track& track, Now now, Outputs& out) {
  AlertLife life = std::move(*track.life);
  track.life.reset();
  track.phase = Phase::kClear;
  track.bad = false;
  set_due(key, track, kNever);
  by_id_.erase(life.alert.alert);
  life.alert.state = msg::AlertState::kResolved;
  tell(life, life.alert.severity, now, out);
  remember(std::move(life), out);
}

void AlertEngine::expect(const msg::Status& status, Now now) {
  note_link(status);
  const Key key{status.id, "agent"};
  if (tracks_.contains(key)) return;
  Track& track = tracks_[key];
  track.phase = Phase::kPending;
  track.bad = true;
  track.awaited = Awaited::kReturn;
  track.fault = Fault{"link", msg::Verdict::kUnknown, "the agent has not come back since the broker was started",
                      msg::AlertKind::kAgentLost};
  track.seen = "the broker knows it from an earlier run";
  track.labels = status.labels;
  track.since = now.calendar;
  sites_[site_by_agent_[status.id]].pending.insert(status.id);
  set_due(key, track, now.instant + config_.return_grace);
  arm(now);
}

// It is not lost, so it is no part of a group that is yet to be told; but the compositor was known once, and whoever relies on that is
// to learn that nothing is known of it any more.
void AlertEngine::came_back(const msg::Status& status, Now now, Outputs& out) {
  note_link(status);
  const auto it = tracks_.find(Key{status.id, "agent"});
  if (it == tracks_.end() || it->second.awaited != Awaited::kReturn) return;
  const Key& key = it->first;
  Track& track = it->second;
  if (track.phase == Phase::kInGroup) return;  // what was wrong stays so until it speaks
  track.awaited = Awaited::kReport;
  track.fault.text = "the agent has come back since the broker was started, and has not reported yet";
  track.fault.advice = "Look at the agent's log on the host; restart the agent.";
  track.seen = "it is connected, and tells nothing of its compositor";
  track.labels = status.labels;
  if (track.phase == Phase::kFiring) return fault_changed(key, track, now, out);
  sites_[site_by_agent_[status.id]].pending.erase(status.id);
  set_due(key, track, now.instant + config_.return_grace);
  arm(now);
}

void AlertEngine::observe(const msg::Status& status, const std::vector<Fault>& faults, bool reported, Now now,
                          Outputs& out) {
  note_link(status);
  const std::map<std::string, Fault> wrong = by_about(faults);
  auto it = tracks_.lower_bound(Key{status.id, {}});
  if (wrong.empty() && (it == tracks_.end() || it->first.first != status.id)) return;  // nearly always
  std::vector<std::string> over;
  for (; it != tracks_.end() && it->first.first == status.id; ++it) {
    const std::string& about = it->first.second;
    const bool of_layers = about == "agent" || about == "compositor" || about.starts_with("output/");
    if (of_layers && !is_hidden(wrong, about) && !wrong.contains(about) && (reported || it->second.bad))
      over.push_back(about);
  }
  for (const auto& [about, fault] : wrong) {
    if (is_hidden(wrong, about)) continue;
    found(Key{status.id, about}, fault, status.labels, seen_of(status, fault, now.calendar), now, out);
  }
  for (const std::string& about : over) gone(Key{status.id, about}, now, out);
  for (it = tracks_.lower_bound(Key{status.id, {}}); it != tracks_.end() && it->first.first == status.id; ++it) {
    review(it->first, it->second, reported, now, out);
  }
  arm(now);
}

void AlertEngine::raise(const std::string& id, const std::string& about, const Fault& fault,
                        const std::map<std::string, std::string>& labels, const std::string& seen, Now now,
                        Outputs& out) {
  const Key key{id, about};
  if (is_news(fault.kind) && !tracks_.contains(key) && news_of(id) >= kNewsMax) return;
  found(key, fault, labels, seen, now, out);
  arm(now);
}

std::size_t AlertEngine::news_of(const std::string& id) const {
  std::size_t count = 0;
  for (auto it = tracks_.lower_bound(Key{id, "news/"}); it != tracks_.end(); ++it) {
    if (it->first.first != id || !it->first.second.starts_with("news/")) break;
    ++count;
  }
  return count;
}

void AlertEngine::clear(const std::string& id, const std::string& about, Now now, Outputs& out) {
  const Key key{id, about};
  if (!tracks_.contains(key)) return;
  gone(key, now, out);
  arm(now);
}

void AlertEngine::found(const Key& key, const Fault& fault, const std::map<std::string, std::string>& labels,
                        const std::string& seen, Now now, Outputs& out) {
  Track& track = tracks_[key];
  const bool said =
      track.fault.kind == fault.kind && track.fault.text == fault.text && track.fault.layer == fault.layer;
  const bool came = !track.bad;
  const Awaited awaited = std::exchange(track.awaited, Awaited::kNothing);
  track.bad = true;
  track.fault = fault;
  track.seen = seen;
  track.labels = labels;
  const bool flapped = track.flap.flapping();
  const bool flapping = may_flap(fault.kind) && track.flap.add(true);
  switch (track.phase) {
    case Phase::kClear: return begin(key, track, now, out);
    case Phase::kPending:
      if (awaited != Awaited::kNothing) begin(key, track, now, out);  // what is found now has a time of its own
      return;
    case Phase::kInGroup: return;
    case Phase::kClearing:
      track.phase = Phase::kFiring;
      set_due(key, track, now.instant + config_.repeat);
      ++track.life->alert.count;
      return fault_changed(key, track, now, out);
    case Phase::kFiring:
      if (came) ++track.life->alert.count;
      if (said && severity_for(track, key.first) == track.life->alert.severity && flapping == flapped) return;
      return fault_changed(key, track, now, out);
  }
}

void AlertEngine::gone(const Key& key, Now now, Outputs& out) {
  const auto it = tracks_.find(key);
  CHECK(it != tracks_.end());
  Track& track = it->second;
  track.bad = false;
  track.awaited = Awaited::kNothing;
  const bool flapped = track.flap.flapping();
  const bool flapping = may_flap(track.fault.kind) && track.flap.add(false);
  if (track.phase == Phase::kInGroup) leave_group(track.group, key.first, now, out);
  if (track.phase == Phase::kPending || track.phase == Phase::kInGroup) {
    if (key.second == "agent") sites_[site_by_agent_[key.first]].pending.erase(key.first);
    track.phase = Phase::kClear;
    set_due(key, track, kNever);
  } else if (track.phase == Phase::kFiring && flapping) {
    if (!flapped) fault_changed(key, track, now, out);
  } else if (track.phase == Phase::kFiring) {
    const Duration ok_after = rule_for(track.fault.kind, key.first).ok_after;
    track.phase = Phase::kClearing;
    set_due(key, track, now.instant + ok_after);
    if (ok_after <= Duration{}) resolve(key, track, now, out);
  }
  if (track.phase == Phase::kClear && track.flap.calm()) tracks_.erase(it);
}

void AlertEngine::begin(const Key& key, Track& track, Now now, Outputs& out) {
  const AlertRule& rule = rule_for(track.fault.kind, key.first);
  if (!rule.enabled) return;
  track.phase = Phase::kPending;
  track.since = now.calendar;
  Duration wait = rule.fail_after;
  if (track.fault.kind == msg::AlertKind::kAgentLost) {
    const bool planned = windows_.maintenance_for(key.first, track.labels, now.calendar) != nullptr;
    if (!planned) sites_[site_by_agent_[key.first]].pending.insert(key.first);
    wait = std::max(wait, group_wait_of(key.first, track.labels));
  }
  set_due(key, track, now.instant + wait);
  if (wait <= Duration{}) due(key, now, out);
}

void AlertEngine::fire(const Key& key, Track& track, Now now, Outputs& out) {
  const bool is_back = track.awaited == Awaited::kReport;
  const bool agent_lost = track.fault.kind == msg::AlertKind::kAgentLost && !is_back;
  if (agent_lost) sites_[site_by_agent_[key.first]].silent.erase(key.first);
  // Who is in maintenance is judged again when that is over.
  if (windows_.maintenance_for(key.first, track.labels, now.calendar) != nullptr) {
    if (agent_lost) sites_[site_by_agent_[key.first]].pending.erase(key.first);
    return set_due(key, track, kNever);
  }
  if (agent_lost && join_group(key, track, now, out)) return;
  if (agent_lost) sites_[site_by_agent_[key.first]].pending.erase(key.first);
  ++counters_.alerts_fired;
  track.phase = Phase::kFiring;
  track.life.emplace();
  msg::Alert& alert = track.life->alert;
  alert.alert = fmt::format("{:016x}{:016x}", epoch_, ++last_alert_);
  alert.id = key.first;
  alert.about = key.second;
  alert.since = track.since;
  by_id_.emplace(alert.alert, key);
  take_fault(key, track);
  alert.suppressed_by = suppressor(key, track, now.calendar);
  alert.silenced_by = windows_.silence_for(alert, now.calendar);
  if (alert.suppressed_by.empty()) tell(*track.life, std::nullopt, now, out);
  const bool news = is_news(track.fault.kind);
  set_due(key, track, now.instant + (news ? config_.news_keep : config_.repeat));
}

// Of a life that goes on: another kind, another sentence, it flaps or no longer does.
void AlertEngine::fault_changed(const Key& key, Track& track, Now now, Outputs& out) {
  AlertLife& life = *track.life;
  const msg::AlertSeverity told_as = life.alert.severity;
  take_fault(key, track);
  life.alert.silenced_by = windows_.silence_for(life.alert, now.calendar);
  if (life.told || life.alert.suppressed_by.empty()) tell(life, told_as, now, out);
}

void AlertEngine::resolve(const Key& key, Track& track, Now now, Outputs& out) {
  track.phase = Phase::kClear;
  set_due(key, track, kNever);
  AlertLife life = std::move(*track.life);
  track.life.reset();
  by_id_.erase(life.alert.alert);
  life.alert.state = msg::AlertState::kResolved;
  life.alert.flapping = false;
  if (!life.told) return;  // nobody ever heard of it
  ++counters_.alerts_resolved;
  tell(life, life.alert.severity, now, out);
  remember(std::move(life), out);
}

void AlertEngine::due(const Key& key, Now now, Outputs& out) {
  const auto it = tracks_.find(key);
  CHECK(it != tracks_.end());
  Track& track = it->second;
  if (track.phase == Phase::kPending) {
    fire(key, track, now, out);
    review_below(key, now, out);
    const auto group = members_.find(key.first);
    if (group == members_.end()) return;
    for (const std::string& member : group->second) review_below(Key{member, "agent"}, now, out);
    return;
  }
  const bool over = track.phase == Phase::kClearing || (track.phase == Phase::kFiring && is_news(track.fault.kind));
  if (over) {
    resolve(key, track, now, out);
    track.bad &= !is_news(track.fault.kind);
    if (!track.bad && track.flap.calm()) tracks_.erase(it);
    return;
  }
  if (track.phase != Phase::kFiring) return set_due(key, track, kNever);
  if (track.dirty) {
    track.dirty = false;
    fault_changed(key, track, now, out);
  } else if (track.life->told) {
    journal_.repeat(track.life->alert, now.calendar, out);
  }
  set_due(key, track, now.instant + config_.repeat);
}

void AlertEngine::set_due(const Key& key, Track& track, Instant at) {
  if (track.due != kNever) due_.erase({track.due, key});
  track.due = at;
  if (at != kNever) due_.emplace(at, key);
}

void AlertEngine::stalled(Duration lateness, Now now) {
  std::set<std::pair<Instant, Key>> later;
  for (const auto& [at, key] : std::exchange(due_, {})) {
    tracks_.at(key).due = at + lateness;
    later.emplace(at + lateness, key);
  }
  due_ = std::move(later);
  if (returned_by_) returned_by_ = *returned_by_ + lateness;
  arm(now);  // windows go by the calendar, which was not late
}

bool AlertEngine::on_timer(TimerKind kind, Now now, Outputs& out) {
  if (kind == TimerKind::kAlertJournal) {
    journal_.on_timer(now, out);
    return false;
  }
  timer_ = 0;
  while (!due_.empty() && due_.begin()->first <= now.instant) {
    const Key key = due_.begin()->second;
    set_due(key, tracks_.at(key), kNever);
    due(key, now, out);
  }
  if (returned_by_ && *returned_by_ <= now.instant) {
    returned_by_.reset();
    review_all(now, out);
  }
  return windows_changed(now, out);
}

bool AlertEngine::windows_changed(Now now, Outputs& out) {
  const bool changed = windows_.advance(now.calendar, out);
  if (changed) review_all(now, out);
  arm(now);
  return changed;
}

void AlertEngine::arm(Now now) {
  constexpr std::int64_t kDayMs = std::int64_t{24} * 3'600 * 1'000;  // the calendar is looked at again then
  const std::int64_t until_window = std::min(kDayMs, windows_.next_change(now.calendar).ms - now.calendar.ms);
  Instant at = std::min(due_.empty() ? kNever : due_.begin()->first, returned_by_.value_or(kNever));
  at = std::min(at, now.instant + std::chrono::milliseconds(std::max<std::int64_t>(0, until_window)));
  timers_.cancel(timer_);
  timer_ = timers_.arm(at, TimerKind::kAlert, 0);
}

const AlertRule& AlertEngine::rule_for(msg::AlertKind kind, const std::string& id) const {
  static const AlertRule usual;
  const std::string_view name = name_of(kind);
  for (const AlertRule& rule : config_.rules) {
    if (glob_matches(rule.kind, name) && glob_matches(rule.id, id)) return rule;
  }
  return usual;
}

msg::AlertSeverity AlertEngine::severity_for(const Track& track, const std::string& id) const {
  return rule_for(track.fault.kind, id).severity.value_or(usual_severity(track.fault.kind, track.fault.verdict));
}

void AlertEngine::take_fault(const Key& key, Track& track) {
  msg::Alert& alert = track.life->alert;
  alert.kind = track.fault.kind;
  alert.layer = track.fault.layer;
  alert.code = track.fault.code;
  alert.signal = track.fault.signal;
  alert.text = track.fault.text;
  alert.seen = track.seen;
  alert.advice = track.fault.advice.empty() ? std::string(advice_of(track.fault.kind)) : track.fault.advice;
  alert.severity = severity_for(track, key.first);
  alert.labels = track.labels;
  alert.flapping = track.flap.flapping();
  if (alert.flapping) {
    alert.text += fmt::format("; it comes and goes ({} % of the last 20 results)", track.flap.change_percent());
  }
  if (track.fault.kind == msg::AlertKind::kAgentsLost) describe_group(key.first, track);
}

std::string AlertEngine::suppressor(const Key& key, const Track& track, UnixMs now) const {
  const msg::AlertWindow* window = windows_.maintenance_for(key.first, track.labels, now);
  if (window != nullptr) return window->window;
  const bool of_output = key.second.starts_with("output/");
  if (key.second != "compositor" && !of_output) return {};
  auto above = tracks_.find(Key{key.first, "agent"});
  if (above != tracks_.end() && above->second.phase == Phase::kInGroup) {
    above = tracks_.find(Key{above->second.group, "agent"});
  }
  if (above != tracks_.end() && above->second.life) return above->second.life->alert.alert;
  above = tracks_.find(Key{key.first, "compositor"});
  const bool down = of_output && above != tracks_.end() && above->second.life && above->second.bad &&
                    above->second.life->alert.severity == msg::AlertSeverity::kCritical;
  return down ? above->second.life->alert.alert : std::string();
}

// What hides this alert, or keeps it from people, may have come or gone.
void AlertEngine::review(const Key& key, Track& track, bool known, Now now, Outputs& out) {
  if (track.phase == Phase::kPending && track.due == kNever) {
    // It was in maintenance; fire() looks whether it still is. Who were lost meanwhile are lost together.
    if (track.fault.kind == msg::AlertKind::kAgentLost && track.awaited != Awaited::kReport) {
      sites_[site_by_agent_[key.first]].pending.insert(key.first);
    }
    return set_due(key, track, now.instant);
  }
  if (!track.life) return;
  msg::Alert& alert = track.life->alert;
  std::string suppressed_by = suppressor(key, track, now.calendar);
  std::string silenced_by = windows_.silence_for(alert, now.calendar);
  if (suppressed_by == alert.suppressed_by && silenced_by == alert.silenced_by) return;
  const bool appears = suppressed_by.empty() && silenced_by.empty();
  if (appears && !known && returned_by_ && now.instant < *returned_by_) return;
  alert.suppressed_by = std::move(suppressed_by);
  alert.silenced_by = std::move(silenced_by);
  if (track.life->told || alert.suppressed_by.empty()) tell(*track.life, alert.severity, now, out);
}

// What it explains is told as explained.
void AlertEngine::review_below(const Key& key, Now now, Outputs& out) {
  for (auto below = tracks_.lower_bound(Key{key.first, {}}); below != tracks_.end() && below->first.first == key.first;
       ++below) {
    if (below->second.life && below->first != key) review(below->first, below->second, false, now, out);
  }
}

void AlertEngine::review_all(Now now, Outputs& out) {
  for (auto& [key, track] : tracks_) review(key, track, false, now, out);
}

const AlertLife* AlertEngine::find(const std::string& alert) const {
  const auto active = by_id_.find(alert);
  if (active != by_id_.end()) return &*tracks_.at(active->second).life;
  const auto ended = ended_.find(alert);
  return ended == ended_.end() ? nullptr : &ended->second;
}

bool AlertEngine::check_invariants() const {
  std::size_t lives = 0;
  for (const auto& [key, track] : tracks_) {
    const bool fires = track.phase == Phase::kFiring || track.phase == Phase::kClearing;
    if (fires != track.life.has_value()) return false;
    lives += fires ? 1U : 0U;
    if ((track.due != kNever) != due_.contains({track.due, key})) return false;
    if (track.phase == Phase::kInGroup && !members_.contains(track.group)) return false;
    if (fires && track.life->alert.state != msg::AlertState::kFiring) return false;
  }
  return lives == by_id_.size();
}

}  // namespace compositord::broker
