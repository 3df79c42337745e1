#include "agent/core/health.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

// How often the kernel is asked about a process whose probe is late.
constexpr Duration kLookInterval = std::chrono::seconds(1);

double milliseconds_of(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

}  // namespace

Health::Health(const HealthConfig& config, Instant now) : config_(config), usual_(config.slow_after) {
  process_.since = process_.observed_at = now;
  progress_.since = progress_.observed_at = now;
}

template <class State>
bool Health::set(Fact<State>& fact, State state, Instant now) {
  fact.observed_at = now;
  if (fact.state == state) return false;
  fact.state = state;
  fact.since = now;
  return true;
}

bool Health::driver_started(Instant now) {
  stage_ = Stage::kProbeOutstanding;
  greeted_ = false;
  probe_sent_at_ = now;
  next_look_at_ = now + config_.slow_after;
  end_ = {};
  ended_as_when_asked_ = false;
  end_told_by_.clear();
  cause_.clear();
  usual_.forget();
  slowness_.clear();
  undrawn_.clear();
  round_trip_.reset();
  outputs_.clear();
  const bool process_changed = set(process_, msg::Process::kRunning, now);
  return set(progress_, msg::Progress::kUnknown, now) || process_changed;
}

bool Health::described(Instant now) {
  // Later descriptions come unasked and prove only that the compositor speaks; the first answers the round trip, however
  // late it comes.
  return !greeted_ && answered(now);
}

bool Health::probe_answered(Instant now) {
  if (stage_ != Stage::kProbeOutstanding) return false;
  const Duration took = now - probe_sent_at_;
  // What it is when that begins; it would be another report each second if it were kept up to date.
  const bool changed = usual_.answered(took);
  if (changed && usual_.slow()) {
    slowness_ = fmt::format("a probe took {:.3g} ms, its usual is {:.3g} ms", milliseconds_of(took),
                            milliseconds_of(usual_.usual()));
  } else if (changed) {
    slowness_.clear();
  }
  return answered(now);
}

bool Health::answered(Instant now) {
  round_trip_ = now - probe_sent_at_;
  next_probe_at_ = std::max(now, probe_sent_at_ + config_.probe_interval);
  stage_ = Stage::kWaitingForProbe;
  greeted_ = true;
  cause_.clear();
  const bool process_changed = set(process_, running(), now);
  return set(progress_, answering(), now) || process_changed;
}

msg::Progress Health::answering() const noexcept {
  return usual_.slow() || !undrawn_.empty() ? msg::Progress::kSlow : msg::Progress::kOk;
}

bool Health::frames_seen(const driver_event::FramesSeen& seen, Instant now) {
  if (stage_ == Stage::kAbsent || undrawn_ == seen.trouble) return false;
  undrawn_ = seen.trouble;
  // While a probe is late its age speaks; its answer brings this.
  if (stage_ == Stage::kWaitingForProbe) set(progress_, answering(), now);
  return true;
}

bool Health::cause_seen(const driver_event::CauseSeen& seen, Instant now) {
  if (stage_ != Stage::kProbeOutstanding) return false;
  const bool cause_changed = cause_ != seen.cause;
  cause_ = seen.cause;
  return set(process_, seen.stopped ? msg::Process::kStopped : running(), now) || cause_changed;
}

bool Health::outputs_changed(const std::vector<std::pair<std::string, msg::OutputState>>& outputs, Instant now) {
  bool changed = outputs.size() != outputs_.size();
  std::vector<std::pair<std::string, Fact<msg::OutputState>>> next;
  for (const auto& output : outputs) {
    const auto old =
        std::find_if(outputs_.begin(), outputs_.end(), [&](const auto& o) { return o.first == output.first; });
    Fact<msg::OutputState> fact;
    fact.since = now;
    if (old != outputs_.end()) fact = old->second;
    changed |= set(fact, output.second, now) || old == outputs_.end();
    const bool planned = planned_dark_.seen(output.first, output.second, now);
    changed |= std::exchange(fact.planned, planned) != planned;
    next.emplace_back(output.first, fact);
  }
  outputs_ = std::move(next);
  return changed;
}

bool Health::gone(const driver_event::Gone& gone, Instant now) {
  stage_ = Stage::kAbsent;
  greeted_ = false;
  end_ = gone.end;
  ended_as_when_asked_ = gone.as_when_asked;
  end_told_by_ = gone.told_by;
  lost_part_.reset();
  cause_.clear();
  usual_.forget();
  slowness_.clear();
  undrawn_.clear();
  for (auto& output : outputs_) set(output.second, msg::OutputState::kUnknown, now);
  set(progress_, msg::Progress::kUnknown, now);
  set(process_, gone.end.signal ? msg::Process::kKilled : msg::Process::kExited, now);
  return true;
}

bool Health::end_told(const driver_event::Gone& gone, Instant now) {
  const bool ended = process_.state == msg::Process::kExited;
  if (!ended || end_.code || end_.signal) return false;
  end_ = gone.end;
  ended_as_when_asked_ = gone.as_when_asked;
  end_told_by_ = gone.told_by;
  // It ended when it ended: `since` stays.
  process_.state = gone.end.signal ? msg::Process::kKilled : msg::Process::kExited;
  process_.observed_at = now;
  return true;
}

bool Health::part_lost(const ProcessEnd& end, std::string note, Instant now) {
  end_ = end;
  lost_part_ = std::move(note);
  set(process_, running(), now);
  return true;
}

bool Health::part_back(Instant now) {
  end_ = {};
  lost_part_.reset();
  ended_as_when_asked_ = false;
  end_told_by_.clear();
  return set(process_, running(), now);
}

msg::Process Health::running() const noexcept {
  if (!lost_part_) return msg::Process::kRunning;
  return end_.signal ? msg::Process::kKilled : msg::Process::kExited;
}

bool Health::tick(Instant now, HealthActions& actions) {
  if (stage_ == Stage::kWaitingForProbe && now >= next_probe_at_) {
    stage_ = Stage::kProbeOutstanding;
    probe_sent_at_ = now;
    next_look_at_ = now + config_.slow_after;
    actions.start_probe = true;
    return false;
  }
  if (stage_ != Stage::kProbeOutstanding) return false;
  if (now >= next_look_at_) {
    actions.look_at_process = true;
    next_look_at_ = now + kLookInterval;
  }
  const Duration age = now - probe_sent_at_;
  if (age >= config_.frozen_after) return worsen(msg::Progress::kFrozen, now);
  if (age >= config_.suspect_after) return worsen(msg::Progress::kSuspect, now);
  if (age >= config_.slow_after) return worsen(msg::Progress::kSlow, now);
  return false;
}

bool Health::worsen(msg::Progress progress, Instant now) {
  // Only an answer makes it better: stalled() makes a probe younger, and that is no news of the compositor.
  const bool better = progress_.state != msg::Progress::kUnknown && progress < progress_.state;
  return set(progress_, better ? progress_.state : progress, now);
}

void Health::stalled(Duration lateness) {
  probe_sent_at_ = probe_sent_at_ + lateness;
  next_look_at_ = next_look_at_ + lateness;
}

Instant Health::next_deadline() const noexcept {
  if (stage_ == Stage::kAbsent) return kNever;
  if (stage_ == Stage::kWaitingForProbe) return next_probe_at_;
  Instant next = next_look_at_;
  for (const Duration after : {config_.slow_after, config_.suspect_after, config_.frozen_after}) {
    const bool passed = progress_.observed_at >= probe_sent_at_ + after;
    if (!passed) return std::min(next, probe_sent_at_ + after);
  }
  return next;
}

std::optional<std::string> Health::note() const {
  std::string text = lost_part_.value_or("");
  // Without this, the end of cage by SIGABRT would read like a crash, also when somebody merely asked it to end.
  if (ended_as_when_asked_) text = "it ends like this when it is asked to";
  if (!end_told_by_.empty()) text += fmt::format("{}told by {}", text.empty() ? "" : "; ", end_told_by_);
  return text.empty() ? std::nullopt : std::optional(text);
}

msg::StatusReport Health::report(Instant now, std::int64_t unix_ms_at_origin) const {
  const auto calendar = [&](Instant at) { return on_calendar(at, unix_ms_at_origin); };
  msg::StatusReport report;
  report.sent_at = calendar(now);
  report.process = {
      process_.state, end_.code, end_.signal, note(), calendar(process_.since), calendar(process_.observed_at)};
  report.progress.state = progress_.state;
  if (round_trip_) report.progress.round_trip_ms = milliseconds_of(*round_trip_);
  report.progress.cause = !cause_.empty() ? cause_ : !undrawn_.empty() ? undrawn_ : slowness_;
  report.progress.since = calendar(progress_.since);
  report.progress.observed_at = calendar(progress_.observed_at);
  for (const auto& output : outputs_) {
    const auto& fact = output.second;
    report.outputs.push_back({output.first, fact.state, calendar(fact.since), calendar(fact.observed_at), {}});
    if (fact.planned) report.outputs.back().planned = true;
  }
  return report;
}

}  // namespace compositord::agent
