#include "agent/sway/command_runner.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "agent/sway/ipc_line.h"
#include "agent/sway/ipc_model.h"

namespace compositord::agent::sway {

namespace {

constexpr const char* kNotDone = "sway said success and did not do it";

// What withdraws the wishes to switch off; nothing when there are none.
OutputRequest opposite_of(const OutputRequest& request) {
  OutputRequest opposite;
  for (OutputCommand wish : request.wishes) {
    const bool power_off = wish.method == OutputMethod::kPower && !wish.on;
    if (wish.method != OutputMethod::kDisable && !power_off) continue;
    if (wish.method == OutputMethod::kDisable) wish.method = OutputMethod::kEnable;
    wish.on = true;
    opposite.wishes.push_back(std::move(wish));
  }
  return opposite;
}

}  // namespace

void CommandRunner::execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
                            Instant deadline, DriverOutputs& out) {
  queue_.add(command_id, parse_output_request(method, params), now, deadline, out);
}

std::optional<CommandRunner::Ask> CommandRunner::next_ask(Instant now) {
  if (asked_ || queue_.empty()) return std::nullopt;
  if (step_ == Step::kIdle) step_ = Step::kReadBefore;
  if ((step_ == Step::kReadBack || step_ == Step::kFindNew) && now < ask_at_) return std::nullopt;
  asked_ = true;
  if (step_ == Step::kCreate) return Ask{IpcType::kRunCommand, "create_output"};
  if (step_ == Step::kChange) return Ask{IpcType::kRunCommand, to_ipc_line(queue_.front().request)};
  if (step_ == Step::kTakeBack) return Ask{IpcType::kRunCommand, to_ipc_line(opposite_of(queue_.front().request))};
  return Ask{IpcType::kGetOutputs, {}};
}

void CommandRunner::on_reply(const std::string& payload, Instant now, DriverOutputs& out) {
  asked_ = false;
  switch (step_) {
    case Step::kIdle: return;  // it was owed to a command that has ended
    case Step::kReadBefore: return on_before(payload, now, out);
    case Step::kCreate: return on_created(payload, now, out);
    case Step::kFindNew: return on_find_new(payload, now, out);
    case Step::kChange: return on_changed(payload, now, out);
    case Step::kReadBack: return on_read_back(payload, now, out);
    case Step::kTakeBack: return finish(Status::kFailed, kNotDone, out);
  }
}

void CommandRunner::on_before(const std::string& payload, Instant, DriverOutputs& out) {
  const auto outputs = parse_outputs(payload);
  if (!outputs) return finish(Status::kFailed, outputs.error().text, out);
  if (queue_.front().request.adds) {
    names_before_.clear();
    for (const KnownOutput& output : *outputs) names_before_.push_back(output.output.name);
    step_ = Step::kCreate;
    return;
  }
  auto before = find_outputs(queue_.front().request, *outputs, "sway");
  if (!before) return finish(before.error().status, before.error().text, out);
  queue_.front().before = std::move(*before);
  step_ = Step::kChange;
}

void CommandRunner::on_created(const std::string& payload, Instant now, DriverOutputs& out) {
  const auto errors = parse_command_errors(payload);
  if (!errors) return finish(Status::kFailed, errors.error().text, out);
  if (!errors->empty()) return finish(Status::kFailed, "sway refused: " + *errors, out);
  step_ = Step::kFindNew;
  ask_at_ = now;
  give_up_at_ = now + kReadBackTime;
}

void CommandRunner::on_find_new(const std::string& payload, Instant now, DriverOutputs& out) {
  const auto outputs = parse_outputs(payload);
  if (!outputs) return finish(Status::kFailed, outputs.error().text, out);
  const auto is_new = [&](const KnownOutput& output) {
    return output.active &&
           std::find(names_before_.begin(), names_before_.end(), output.output.name) == names_before_.end();
  };
  const auto added = std::find_if(outputs->begin(), outputs->end(), is_new);
  if (added == outputs->end()) {
    if (now >= give_up_at_) return finish(Status::kFailed, "sway said success and no output was added", out);
    ask_at_ = now + kReadBackInterval;
    return;
  }
  OutputCommandQueue::Entry& job = queue_.front();
  job.request.set_added(added->output.name);
  job.after = {*added};
  if (job.request.wishes.empty()) return finish(Status::kDone, {}, out);
  step_ = Step::kChange;
}

void CommandRunner::on_changed(const std::string& payload, Instant now, DriverOutputs& out) {
  auto errors = parse_command_errors(payload);
  if (!errors) return finish(Status::kFailed, errors.error().text, out);
  refusal_ = std::move(*errors);
  step_ = Step::kReadBack;
  ask_at_ = now;
  give_up_at_ = now + kReadBackTime;
}

void CommandRunner::on_read_back(const std::string& payload, Instant now, DriverOutputs& out) {
  OutputCommandQueue::Entry& job = queue_.front();
  const auto outputs = parse_outputs(payload);
  if (!outputs) return finish(Status::kFailed, outputs.error().text, out);
  job.after = outputs_of(job.request, *outputs);
  if (refusal_.empty() && shows(job.request, job.after)) return finish(Status::kDone, {}, out);
  if (!refusal_.empty() || now >= give_up_at_) return fail_read_back(out);
  ask_at_ = now + kReadBackInterval;
}

void CommandRunner::fail_read_back(DriverOutputs& out) {
  const OutputCommandQueue::Entry& job = queue_.front();
  if (!refusal_.empty()) return finish(Status::kFailed, "sway refused: " + refusal_, out);
  if (job.after.size() < job.before.size()) {
    return finish(Status::kFailed, "sway said success, and the output is gone", out);
  }
  if (opposite_of(job.request).wishes.empty()) return finish(Status::kFailed, kNotDone, out);
  step_ = Step::kTakeBack;
}

void CommandRunner::tick(Instant now, DriverOutputs& out) {
  if (step_ != Step::kIdle && queue_.front_is_late(now)) {
    finish(Status::kDeadline,
           is_sent() ? "sway did not show the change in time; its outcome is unknown"
                     : "sway did not answer in time; nothing was changed",
           out);
  }
  queue_.end_waiting(step_ != Step::kIdle, now, out);
}

Instant CommandRunner::next_ask_at() const noexcept {
  if (asked_ || queue_.empty()) return kNever;
  return step_ == Step::kReadBack || step_ == Step::kFindNew ? ask_at_ : Instant{};
}

bool CommandRunner::is_sent() const noexcept {
  const bool is_sending = step_ == Step::kCreate || step_ == Step::kChange;
  return is_sending ? asked_ || !queue_.front().request.added.empty() : step_ > Step::kReadBefore;
}

void CommandRunner::on_connection_lost(DriverOutputs& out) {
  const bool sent = step_ != Step::kIdle && is_sent();
  asked_ = false;
  if (step_ == Step::kIdle) return;
  if (sent) return finish(Status::kFailed, "sway's IPC connection broke; the outcome is unknown", out);
  finish(Status::kFailed, "sway's IPC connection broke; nothing was changed", out);
}

void CommandRunner::on_gone(DriverOutputs& out) {
  queue_.end_all("the compositor", out);
  step_ = Step::kIdle;
}

void CommandRunner::finish(Status status, std::string error, DriverOutputs& out) {
  const std::string& added = queue_.front().request.added;
  if (!error.empty() && !added.empty()) error = fmt::format("{} was added, but: {}", added, error);
  queue_.finish(status, std::move(error), out);
  step_ = Step::kIdle;
  refusal_.clear();
  give_up_at_ = kNever;
}

}  // namespace compositord::agent::sway
