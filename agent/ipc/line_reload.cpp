#include "agent/ipc/line_reload.h"

#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

void LineReload::on_version(const std::string& payload) { version_ = dialect_->parse_version(payload).value_or(""); }

void LineReload::begin(std::uint64_t command_id, const msg::Value& params, const Peer&, Instant now, Instant deadline,
                       DriverOutputs& out) {
  if (command_.begin(command_id, params, now, deadline, out)) step_ = Step::kAsk;
}

void LineReload::service(Instant now, DriverOutputs& out) {
  if (step_ == Step::kAccepted && now >= give_up_at_) {
    return fail(Status::kFailed,
                fmt::format("{} accepted it and did not tell that it has reloaded", dialect_->compositor()), out);
  }
  if (command_.tick(now, out)) forget();
}

std::string LineReload::take_request() {
  if (step_ == Step::kAsk) {
    step_ = Step::kAsked;
    return dialect_->reload_request();
  }
  if (step_ != Step::kAskErrors) return {};
  step_ = Step::kErrorsAsked;
  return dialect_->errors_request();
}

void LineReload::on_reply(const std::string& payload, bool events, Instant now, DriverOutputs& out) {
  if (step_ == Step::kErrorsAsked) return on_errors(payload, out);
  if (step_ != Step::kAsked) return;  // to one that has ended by its deadline
  const auto refusal = dialect_->parse_reload_refusal(payload);
  if (!refusal) return fail(Status::kFailed, refusal.error().text, out);
  if (!refusal->empty()) {
    return fail(Status::kFailed, fmt::format("{} refused to reload: {}", dialect_->compositor(), *refusal), out);
  }
  on_accepted(events, now, out);
}

void LineReload::on_accepted(bool events, Instant now, DriverOutputs& out) {
  if (told_failed_) return end_told(*told_failed_, out);
  if (events && (was_told_ || !dialect_->begins_with_reload())) {
    step_ = Step::kAccepted;
    give_up_at_ = now + kReloadTime;
    return;
  }
  if (!dialect_->errors_request().empty()) {
    step_ = Step::kAskErrors;
    return;
  }
  command_.succeed(
      fmt::format("{}'s IPC accepted it; this version does not tell what came of it", dialect_->compositor()), false,
      out);
  forget();
}

void LineReload::on_reloaded(bool failed, DriverOutputs& out) {
  was_told_ = true;
  if (step_ == Step::kAsked) told_failed_ = failed;
  if (step_ == Step::kAccepted) end_told(failed, out);
}

void LineReload::end_told(bool failed, DriverOutputs& out) {
  give_up_at_ = kNever;
  if (failed) {
    return fail(Status::kFailed,
                fmt::format("{} finds its configuration bad, and goes on with what it had", dialect_->compositor()),
                out);
  }
  if (!dialect_->errors_request().empty()) {
    step_ = Step::kAskErrors;
    return;
  }
  command_.succeed(fmt::format("{} has reloaded, and told so by its event", dialect_->compositor()), false, out);
  forget();
}

void LineReload::on_errors(const std::string& payload, DriverOutputs& out) {
  const auto errors = dialect_->parse_reload_errors(payload);
  if (!errors) return fail(Status::kFailed, errors.error().text, out);
  if (!errors->empty()) {
    return fail(Status::kFailed, fmt::format("{} has reloaded, and complains: {}", dialect_->compositor(), *errors),
                out);
  }
  command_.succeed(fmt::format("{} has reloaded, and complains of nothing", dialect_->compositor()), false, out);
  forget();
}

void LineReload::on_connection_lost(DriverOutputs& out) {
  was_told_ = false;
  if (step_ == Step::kIdle) return;
  const bool told = step_ != Step::kAsk;
  fail(Status::kFailed,
       fmt::format("the connection to {}'s IPC was lost; {}", dialect_->compositor(),
                   told ? "whether it has reloaded is unknown" : "nothing was done"),
       out);
}

void LineReload::on_gone(DriverOutputs& out) {
  command_.on_gone(out);
  forget();
}

void LineReload::fail(Status status, std::string error, DriverOutputs& out) {
  command_.fail(status, std::move(error), out);
  forget();
}

void LineReload::forget() {
  step_ = Step::kIdle;
  told_failed_.reset();
  give_up_at_ = kNever;
}

}  // namespace compositord::agent
