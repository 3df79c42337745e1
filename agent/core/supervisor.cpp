#include "agent/core/supervisor.h"

#include <algorithm>

#include <fmt/format.h>

namespace compositord::agent {

void Supervisor::begin(Instant now, SupervisorActions& actions) {
  if (state_ == SupervisorState::kStopped) start(now, actions);
}

void Supervisor::start(Instant now, SupervisorActions& actions) {
  state_ = SupervisorState::kStarting;
  start_after_stop_ = false;
  deadline_ = kNever;
  note_.clear();
  starts_.push_back(now);
  if (starts_.size() > std::max<std::size_t>(config_.start_limit, 1)) starts_.pop_front();
  actions.start = true;
}

void Supervisor::started(std::int64_t pid, Instant now, SupervisorActions& actions) {
  pid_ = pid;
  running_since_ = now;
  actions.log.push_back(LogEvent(Severity::kInfo, "supervisor.started").with("pid", std::to_string(pid)));
  if (state_ == SupervisorState::kStopping) return stop(now, actions);
  state_ = SupervisorState::kRunning;
}

void Supervisor::start_failed(const std::string& why, Instant now, SupervisorActions& actions) {
  actions.log.push_back(LogEvent(Severity::kError, "supervisor.start_failed").with("why", why));
  if (state_ == SupervisorState::kStopping && !start_after_stop_) {
    state_ = SupervisorState::kStopped;
    note_ = "it was stopped on request";
    return;
  }
  recover(true, why + "; ", now, actions);
}

bool Supervisor::ended(const ProcessEnd& end, const std::string& text, Instant now, SupervisorActions& actions) {
  pid_ = 0;
  deadline_ = kNever;
  const bool asked = state_ == SupervisorState::kStopping;
  actions.log.push_back(
      LogEvent(asked ? Severity::kInfo : Severity::kWarning, asked ? "supervisor.stopped" : "supervisor.ended")
          .with("how", text));
  if (asked) {
    if (start_after_stop_) {
      start(now, actions);
    } else {
      state_ = SupervisorState::kStopped;
      note_ = "it was stopped on request";
    }
    return true;
  }
  if (now - running_since_ >= config_.backoff_reset_after) backoff_ = {};
  recover(end.code != 0, "", now, actions);
  return false;
}

void Supervisor::recover(bool failure, const std::string& why_not, Instant now, SupervisorActions& actions) {
  const bool wanted =
      config_.restart == RestartPolicy::kAlways || (config_.restart == RestartPolicy::kOnFailure && failure);
  if (!wanted) {
    state_ = SupervisorState::kStopped;
    note_ = fmt::format("{}it is not started again (--restart {})", why_not,
                        config_.restart == RestartPolicy::kNever ? "never" : "on-failure");
    return;
  }
  if (limit_reached(now)) {
    state_ = SupervisorState::kLatched;
    note_ = fmt::format("{}crash loop: started {} times within {} s; it stays down until a restart command", why_not,
                        config_.start_limit, to_ms(config_.start_limit_window) / 1000);
    actions.log.push_back(LogEvent(Severity::kError, "supervisor.crash_loop").with("why", note_));
    return;
  }
  state_ = SupervisorState::kWaiting;
  note_ = why_not + "it will be started again";
  backoff_ = std::clamp(backoff_ * 2, config_.backoff_min, config_.backoff_max);
  // Up to half as much again at random, so that a wall of screens does not come back in one moment.
  const Duration wait = std::min(random_.between(backoff_, backoff_ + backoff_ / 2), config_.backoff_max);
  deadline_ = now + wait;
  actions.log.push_back(LogEvent(Severity::kInfo, "supervisor.waiting").with("ms", std::to_string(to_ms(wait))));
}

bool Supervisor::limit_reached(Instant now) {
  if (config_.start_limit == 0) return false;
  while (!starts_.empty() && now - starts_.front() >= config_.start_limit_window) starts_.pop_front();
  return starts_.size() >= config_.start_limit;
}

void Supervisor::ask_stop(Instant now, SupervisorActions& actions) {
  start_after_stop_ = false;
  switch (state_) {
    case SupervisorState::kRunning: return stop(now, actions);
    case SupervisorState::kStarting: state_ = SupervisorState::kStopping; return;
    case SupervisorState::kWaiting:
    case SupervisorState::kLatched:
      state_ = SupervisorState::kStopped;
      deadline_ = kNever;
      note_ = "it was stopped on request";
      return;
    case SupervisorState::kStopping:
    case SupervisorState::kStopped: return;
  }
}

void Supervisor::ask_restart(Instant now, SupervisorActions& actions) {
  starts_.clear();
  backoff_ = {};
  switch (state_) {
    case SupervisorState::kRunning: stop(now, actions); break;
    case SupervisorState::kStarting: return;  // a fresh one is on its way
    case SupervisorState::kStopping: break;
    default: return start(now, actions);
  }
  start_after_stop_ = true;
}

void Supervisor::stop(Instant now, SupervisorActions& actions) {
  state_ = SupervisorState::kStopping;
  deadline_ = now + config_.stop_grace;
  actions.signal = ChildSignal::kTerminate;
}

void Supervisor::tick(Instant now, SupervisorActions& actions) {
  if (now < deadline_) return;
  deadline_ = kNever;
  if (state_ == SupervisorState::kWaiting) return start(now, actions);
  if (state_ != SupervisorState::kStopping) return;
  actions.signal = ChildSignal::kKill;
  actions.log.push_back(LogEvent(Severity::kWarning, "supervisor.killing")
                            .with("pid", std::to_string(pid_))
                            .with("why", "it did not end when it was asked to"));
}

}  // namespace compositord::agent
