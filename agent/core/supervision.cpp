#include "agent/core/supervision.h"

#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

msg::Value pid_value(std::int64_t pid) {
  msg::Value value = msg::Value::map();
  if (pid != 0) value.set("pid", pid);
  return value;
}

msg::Value end_value(const ProcessEnd& end) {
  msg::Value value = msg::Value::map();
  if (end.code) value.set("code", *end.code);
  if (end.signal) value.set("signal", *end.signal);
  return value;
}

}  // namespace

std::vector<msg::CommandSupport> Supervision::commands() { return {{"restart", true, ""}, {"stop", true, ""}}; }

void Supervision::apply(SupervisorActions& actions, Outputs& out) {
  if (actions.start) {
    out.start_child = true;
    recorder_.forget_output();
  }
  if (actions.signal) out.signal_child = actions.signal;
  for (LogEvent& event : actions.log) out.log.push_back(std::move(event));
}

void Supervision::started(const input::ChildStarted& child, Instant now, Commands&, Outputs& out) {
  SupervisorActions actions;
  supervisor_.started(child.pid, now, actions);
  ++starts_;
  apply(actions, out);
}

void Supervision::start_failed(const input::ChildStartFailed& child, Instant now, Commands& commands, Outputs& out) {
  SupervisorActions actions;
  supervisor_.start_failed(child.why, now, actions);
  apply(actions, out);
  if (is_stopped()) finish_stop(msg::Value::map(), commands, out);
  if (pending_ && pending_->command.restart) finish(Status::kFailed, child.why, msg::Value::map(), commands, out);
}

void Supervision::ended(const input::ChildEnded& child, Instant now, std::int64_t unix_ms_at_origin, Commands& commands,
                        Outputs& out) {
  const std::int64_t pid = supervisor_.pid();
  msg::Crash crash = recorder_.report(now, unix_ms_at_origin);
  SupervisorActions actions;
  const bool asked = supervisor_.ended(child.end, child.text, now, actions);
  apply(actions, out);
  if (asked) {
    if (is_stopped()) finish_stop(end_value(child.end), commands, out);
    return;
  }
  crash.pid = static_cast<std::uint64_t>(pid);
  crash.text = child.text;
  last_crash_ = std::move(crash);
  if (!pending_) return;
  finish(Status::kFailed, fmt::format("the new compositor {} before it answered", child.text), end_value(child.end),
         commands, out);
}

void Supervision::answered(Commands& commands, Outputs& out) {
  if (supervisor_.state() != SupervisorState::kRunning || !pending_ || !pending_->command.restart) return;
  finish(Status::kDone, {}, pid_value(supervisor_.pid()), commands, out);
}

void Supervision::asked(const Commands::Supervise& command, Instant now, Commands& commands, Outputs& out) {
  if (pending_) {
    finish(Status::kConflict, fmt::format("a {} command came after it", command.restart ? "restart" : "stop"),
           msg::Value::map(), commands, out);
  }
  pending_ = Pending{command, supervisor_.pid()};
  SupervisorActions actions;
  if (phase_ == Phase::kLeaving) {
    finish(Status::kGone, "the agent is about to end, and its compositor with it", msg::Value::map(), commands, out);
  } else if (command.restart) {
    supervisor_.ask_restart(now, actions);
  } else {
    supervisor_.ask_stop(now, actions);
    if (is_stopped()) finish_stop(msg::Value::map(), commands, out);
  }
  apply(actions, out);
}

void Supervision::leave(Instant now, Outputs& out) {
  phase_ = Phase::kLeaving;
  SupervisorActions actions;
  supervisor_.ask_stop(now, actions);
  apply(actions, out);
}

void Supervision::tick(Instant now, Outputs& out) {
  SupervisorActions actions;
  if (phase_ == Phase::kNotBegun) {
    phase_ = Phase::kServing;
    supervisor_.begin(now, actions);
  }
  supervisor_.tick(now, actions);
  apply(actions, out);
}

void Supervision::finish_stop(msg::Value after, Commands& commands, Outputs& out) {
  if (pending_ && !pending_->command.restart) finish(Status::kDone, {}, std::move(after), commands, out);
}

void Supervision::finish(Status status, std::string error, msg::Value after, Commands& commands, Outputs& out) {
  driver_event::CommandFinished finished;
  finished.command_id = pending_->command.command_id;
  finished.status = status;
  finished.error = std::move(error);
  finished.result = msg::Value::map({{"before", pid_value(pending_->pid_before)}, {"after", std::move(after)}});
  pending_.reset();
  commands.finished(finished, out);
}

}  // namespace compositord::agent
