#include "agent/core/agent_core.h"

#include <algorithm>
#include <utility>

#include "common/wire/mdp_codec.h"

namespace compositord::agent {

namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// A report of more outputs than the broker takes would be refused, with all that it says of the first ones.
template <class Output>
void keep_some(std::vector<Output>& outputs) {
  if (outputs.size() > msg::kOutputsMax) outputs.erase(outputs.begin() + msg::kOutputsMax, outputs.end());
}

}  // namespace

AgentCore::AgentCore(AgentConfig config, std::uint64_t seed, Instant now)
    : config_(std::move(config)),
      session_(config_, seed),
      health_(config_.health, now),
      measurements_(config_.status_refresh),
      commands_(config_) {
  if (config_.supervisor) supervision_.emplace(*config_.supervisor, seed);
  // A report in a compositor's first moments would say "unknown" of one that is about to answer.
  status_report_.not_before = now + config_.first_look;
}

void AgentCore::step(Instant now, Input input, Outputs& out) {
  const bool was_online = session_.online();
  const std::size_t log_before = out.log.size();
  std::visit([&](auto& i) { on(i, now, out); }, input);
  if (supervision_) record(now, log_before, out);
  // However the session ended: a late answer on the next connection would come from a peer that is no ready worker there,
  // and would get it expelled.
  if (was_online && !session_.online()) commands_.forget_all();
  if (leaving_ && (!supervision_ || config_.compositor_lives_on || supervision_->is_stopped())) {
    leaving_ = false;
    report(now, out);  // how it ended, before the goodbye
    session_.stop(now, out);
  }
  report(now, out);
  out.finished = session_.state() == SessionState::kFinished;
}

Instant AgentCore::next_deadline() const noexcept {
  const Instant supervision = supervision_ ? supervision_->next_deadline() : kNever;
  return std::min({session_.next_deadline(), health_.next_deadline(), measurements_.next_deadline(),
                   commands_.next_deadline(), report_deadline(), supervision});
}

bool AgentCore::check_invariants() const {
  if (commands_.open_count() > config_.commands_max) return false;
  if (commands_.driver_count() > 0 && !described_) return false;
  return !described_ || (manifest_.has_value() && health_.has_compositor());
}

// ---- the bus

void AgentCore::on(input::BusConnected&, Instant now, Outputs& out) { session_.connected(now, out); }

void AgentCore::on(input::BusDisconnected&, Instant now, Outputs& out) { session_.disconnected(now, out); }

void AgentCore::on(input::TooLarge&, Instant, Outputs& out) {
  out.log.emplace_back(Severity::kWarning, "message.too_large");
}

void AgentCore::on(input::Received& received, Instant now, Outputs& out) {
  session_.heard(now);
  Result<wire::Parsed<wire::FromBroker>> parsed = wire::parse_from_broker(std::move(received.frames));
  if (!parsed) {
    out.log.push_back(LogEvent(Severity::kWarning, "message.malformed").with("why", parsed.error().text));
    return;
  }
  std::visit(
      Overloaded{[&](wire::mdp::ClientReply& m) { on_reply(m, now, out); },
                 [&](wire::mdp::WorkerRequest& m) {
                   // What an ended session still brings has been answered by the broker (410): doing it now would
                   // be doing it twice for a caller who asks again.
                   if (!session_.online()) return;
                   const std::size_t before = out.executes.size();
                   const auto supervise =
                       commands_.requested(std::move(m), described_ ? &*manifest_ : nullptr, now, out);
                   for (std::size_t i = before; i < out.executes.size(); ++i) expect_dark(out.executes[i]);
                   if (supervise) supervision_->asked(*supervise, now, commands_, out);
                 },
                 [](wire::mdp::Heartbeat&) {}, [&](wire::mdp::Disconnect&) { session_.told_to_disconnect(now, out); }},
      parsed->message);
}

// The compositor may tell of it a little later than it answers.
void AgentCore::expect_dark(const Execute& execute) {
  constexpr Duration kGrace = std::chrono::seconds(2);
  for (const std::string& output : outputs_to_darken(execute.method, execute.params)) {
    health_.expect_dark(output, execute.deadline + kGrace);
  }
}

void AgentCore::on_reply(const wire::mdp::ClientReply& message, Instant now, Outputs& out) {
  // 18/MDP: "The client MUST be prepared to handle zero or more PARTIAL commands". Nothing that an agent asks is answered in
  // parts that it needs: the FINAL says how it ended.
  if (!message.final) return;
  const Result<msg::Reply> reply = msg::parse_reply(message.body);
  if (!reply) {
    out.log.push_back(LogEvent(Severity::kWarning, "message.malformed").with("why", reply.error().text));
    return;
  }
  const std::optional<Question> question = session_.answered(*reply, now, out);
  if (!question) return;
  if (*question == Question::kRegister && session_.online()) {
    // A new session: the broker gets everything that is known.
    status_report_ = Report{true, status_report_.not_before};
    manifest_report_ = Report{manifest_.has_value(), now};
    next_refresh_ = now + config_.status_refresh;
    crash_unsent_ = supervision_ && supervision_->last_crash();
  } else if (*question == Question::kStatus) {
    status_report_.sent.reset();
    crash_on_its_way_ = false;
  } else if (*question == Question::kManifest) {
    on_manifest_answer(*reply, now, out);
  }
}

void AgentCore::on_manifest_answer(const msg::Reply& reply, Instant now, Outputs& out) {
  if (manifest_report_.overtaken > 0) {
    --manifest_report_.overtaken;
    return;
  }
  manifest_report_.sent.reset();
  if (reply.header.status == to_number(Status::kDone)) return;
  out.log.push_back(LogEvent(Severity::kWarning, "manifest.not_stored")
                        .with("status", std::to_string(reply.header.status))
                        .with("why", reply.header.error.value_or("")));
  const bool worth_a_retry =
      reply.header.status == to_number(Status::kStore) || reply.header.status == to_number(Status::kLimit);
  if (!worth_a_retry || manifest_report_.wanted) return;
  manifest_report_.wanted = true;
  manifest_report_.not_before = now + config_.store_retry;
}

// ---- the compositor

void AgentCore::on(input::DriverStarted&, Instant now, Outputs&) {
  status_report_.wanted |= health_.driver_started(now);
  status_report_.not_before = now + config_.first_look;
}

void AgentCore::on(input::FromDriver& from, Instant now, Outputs& out) {
  bool changed = false;
  std::visit(
      Overloaded{[&](driver_event::Described& e) { on_described(e, now, out); },
                 [&](driver_event::OutputsChanged& e) {
                   keep_some(e.outputs);
                   changed = health_.outputs_changed(e.outputs, now);
                 },
                 [&](driver_event::ProbeAnswered&) {
                   const bool was_slow = !health_.slowness().empty();
                   changed = health_.probe_answered(now);
                   if (!was_slow && !health_.slowness().empty()) {
                     out.log.push_back(LogEvent(Severity::kWarning, "compositor.slow").with("why", health_.slowness()));
                   }
                   if (!health_.round_trip()) return;
                   measurements_.probe_answered(*health_.round_trip(), now);
                   if (supervision_) supervision_->recorder().probe(now, *health_.round_trip());
                 },
                 [&](driver_event::CauseSeen& e) { changed = health_.cause_seen(e, now); },
                 [&](driver_event::UsageSeen& e) { measurements_.usage_seen(e, now); },
                 [&](driver_event::ClientsSeen& e) { measurements_.clients_seen(e); },
                 [&](driver_event::FramesSeen& e) {
                   changed = health_.frames_seen(e, now);
                   if (changed && !e.trouble.empty()) {
                     out.log.push_back(LogEvent(Severity::kWarning, "compositor.draws_nothing").with("why", e.trouble));
                   }
                 },
                 [&](driver_event::Gone& e) { on_gone(e, now, out); },
                 [&](driver_event::CommandFinished& e) { commands_.driver_finished(std::move(e), now, out); },
                 [&](driver_event::CommandPart& e) { commands_.part(std::move(e), out); }},
      from.event);
  status_report_.wanted |= changed;
}

void AgentCore::on_described(driver_event::Described& described, Instant now, Outputs& out) {
  keep_some(described.manifest.outputs);
  status_report_.wanted |= health_.described(now);
  status_report_.wanted |= compare_parts(described.manifest, now, out);
  status_report_.not_before = std::min(status_report_.not_before, now);
  if (!described_) {
    out.log.push_back(LogEvent(Severity::kInfo, "compositor.up")
                          .with("name", described.manifest.name)
                          .with("version", described.manifest.version)
                          .with("pid", std::to_string(described.manifest.pid)));
  }
  described.manifest.commands.push_back(Commands::confirm_support(described.manifest.commands));
  described.manifest.commands.push_back(commands_.launch_support());
  if (supervision_) {
    for (msg::CommandSupport& command : Supervision::commands()) {
      described.manifest.commands.push_back(std::move(command));
    }
    if (!described_) supervision_->answered(commands_, out);
  }
  described_ = true;
  measurements_.watch(described.manifest.pid, now);
  if (manifest_ == described.manifest) return;
  if (manifest_ && manifest_->pid != described.manifest.pid && manifest_report_.sent) {
    // Another process: its manifest does not wait until a slow disk has that of the one before, for its verdict does not.
    manifest_report_.sent.reset();
    ++manifest_report_.overtaken;
  }
  manifest_ = std::move(described.manifest);
  manifest_report_.wanted = true;
  manifest_report_.not_before = now;
}

// An X server that goes on without its compositing manager answers as if nothing had happened.
bool AgentCore::compare_parts(const msg::Manifest& next, Instant now, Outputs& out) {
  const auto has_role = [](const msg::Manifest& manifest, const std::string& role) {
    const auto& parts = manifest.parts;
    return parts && std::any_of(parts->begin(), parts->end(), [&](const msg::Part& part) { return part.role == role; });
  };
  const std::optional<ProcessEnd> crash = std::exchange(crash_, std::nullopt);
  if (!lost_role_.empty() && has_role(next, lost_role_)) {
    lost_role_.clear();
    return health_.part_back(now);
  }
  if (!crash || !manifest_ || !manifest_->parts) return false;
  for (const msg::Part& part : *manifest_->parts) {
    if (part.name != manifest_->name || part.role == "server" || has_role(next, part.role)) continue;
    lost_role_ = part.role;
    out.log.push_back(
        LogEvent(Severity::kWarning, "compositor.part_lost").with("part", part.name).with("left", next.name));
    return health_.part_lost(*crash, part.name + " is not back, " + next.name + " goes on without it", now);
  }
  return false;
}

void AgentCore::on_gone(const driver_event::Gone& gone, Instant now, Outputs& out) {
  const bool as_asked = gone.as_when_asked || gone.end.code == 0;
  if (described_ && !as_asked) crash_ = gone.end;
  described_ = false;
  lost_role_.clear();
  measurements_.forget();
  status_report_.wanted |= health_.gone(gone, now);
  status_report_.not_before = std::min(status_report_.not_before, now);
  commands_.compositor_gone(out);
  out.log.push_back(LogEvent(Severity::kWarning, "compositor.gone").with("why", gone.text));
}

void AgentCore::on(input::EndTold& told, Instant now, Outputs& out) {
  const driver_event::Gone& gone = told.gone;
  const bool as_asked = gone.as_when_asked || gone.end.code == 0;
  if (crash_ && !crash_->code && !crash_->signal) crash_ = as_asked ? std::nullopt : std::optional(gone.end);
  if (!health_.end_told(gone, now)) return;
  if (as_asked && !lost_role_.empty()) {
    lost_role_.clear();  // it was no crash: what is left goes on as it was meant to
    health_.part_back(now);
  }
  status_report_.wanted = true;
  out.log.push_back(LogEvent(Severity::kInfo, "compositor.end_told").with("why", gone.text).with("by", gone.told_by));
}

void AgentCore::on(input::ChildStarted& child, Instant now, Outputs& out) {
  supervision_->started(child, now, commands_, out);
}

void AgentCore::on(input::ChildStartFailed& child, Instant now, Outputs& out) {
  supervision_->start_failed(child, now, commands_, out);
  status_report_.wanted = true;
  status_report_.not_before = std::min(status_report_.not_before, now);
}

void AgentCore::on(input::ChildPrinted& child, Instant, Outputs&) { supervision_->recorder().printed(child.bytes); }

void AgentCore::on(input::ChildEnded& child, Instant now, Outputs& out) {
  // The supervisor first: its command may have wanted this, and a new process may be on its way already.
  const auto crash_at = [&] { return supervision_->last_crash() ? supervision_->last_crash()->at : UnixMs{}; };
  const UnixMs before = crash_at();
  supervision_->ended(child, now, unix_ms_at_origin_, commands_, out);
  crash_unsent_ |= crash_at() != before;
  on_gone({child.end, child.text}, now, out);
}

void AgentCore::record(Instant now, std::size_t log_before, const Outputs& out) {
  for (std::size_t i = log_before; i < out.log.size(); ++i) supervision_->recorder().event(now, to_text(out.log[i]));
}

// ---- time

void AgentCore::on(input::CalendarSet& calendar, Instant, Outputs&) { unix_ms_at_origin_ = calendar.unix_ms_at_origin; }

void AgentCore::on(input::Stalled& stalled, Instant, Outputs& out) {
  session_.stalled(stalled.lateness);
  health_.stalled(stalled.lateness);
  out.log.push_back(
      LogEvent(Severity::kWarning, "loop.stalled").with("late_ms", std::to_string(to_ms(stalled.lateness))));
}

void AgentCore::on(input::Stop&, Instant now, Outputs& out) {
  leaving_ = true;
  if (supervision_ && !config_.compositor_lives_on) supervision_->leave(now, out);
}

void AgentCore::on(input::Tick&, Instant now, Outputs& out) {
  HealthActions actions;
  status_report_.wanted |= health_.tick(now, actions);
  out.start_probe |= actions.start_probe;
  out.look_at_process |= actions.look_at_process;
  out.look_at_usage |= measurements_.tick(now);
  commands_.tick(now, out);
  if (supervision_) supervision_->tick(now, out);
  session_.tick(now, out);
  if (session_.online() && now >= next_refresh_) {
    status_report_.wanted = true;
    // Also when it can't be sent yet: a deadline that stays in the past would make the loop spin.
    next_refresh_ = now + config_.status_refresh;
  }
}

void AgentCore::report(Instant now, Outputs& out) {
  if (!session_.online()) return;
  const auto due = [&](Report& report) {
    if (report.sent && now - *report.sent >= config_.reply_timeout) {
      report.sent.reset();  // its answer was lost: say it again
      report.overtaken = 0;
      crash_unsent_ |= crash_on_its_way_;
      report.wanted = true;
    }
    return report.wanted && !report.sent && now >= report.not_before;
  };
  // The manifest goes first: whoever sees the verdict turn ok finds that of this process in its place.
  if (due(manifest_report_)) {
    manifest_report_.wanted = false;
    manifest_report_.sent = now;
    session_.ask(Question::kManifest, msg::Value::map({{"manifest", to_value(*manifest_)}}), out);
  }
  if (due(status_report_)) {
    status_report_.wanted = false;
    status_report_.sent = now;
    next_refresh_ = now + config_.status_refresh;
    session_.ask(Question::kStatus, to_value(status_report(now)), out);
  }
}

msg::StatusReport AgentCore::status_report(Instant now) {
  msg::StatusReport report = health_.report(now, unix_ms_at_origin_);
  msg::Metrics metrics = measurements_.report(now);
  if (supervision_) metrics.restarts = supervision_->restarts();
  if (metrics != msg::Metrics{}) report.metrics = metrics;
  if (!supervision_) return report;
  if (!supervision_->note().empty()) report.process.note = supervision_->note();
  crash_on_its_way_ = std::exchange(crash_unsent_, false);
  if (crash_on_its_way_) report.crash = supervision_->last_crash();
  return report;
}

Instant AgentCore::report_deadline() const noexcept {
  if (!session_.online()) return kNever;
  Instant next = next_refresh_;
  for (const Report* report : {&status_report_, &manifest_report_}) {
    if (report->sent) {
      next = std::min(next, *report->sent + config_.reply_timeout);
    } else if (report->wanted) {
      next = std::min(next, report->not_before);
    }
  }
  return next;
}

}  // namespace compositord::agent
