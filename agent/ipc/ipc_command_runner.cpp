#include "agent/ipc/ipc_command_runner.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

// The command that withdraws the wish to switch off, if it is one.
std::optional<OutputCommand> opposite_of(OutputCommand command) {
  const bool power_off = command.method == OutputMethod::kPower && !command.on;
  if (command.method != OutputMethod::kDisable && !power_off) return std::nullopt;
  if (command.method == OutputMethod::kDisable) command.method = OutputMethod::kEnable;
  command.on = true;
  return command;
}

}  // namespace

void IpcCommandRunner::execute(std::uint64_t command_id, const std::string& method, const msg::Value& params,
                               Instant now, Instant deadline, DriverOutputs& out) {
  queue_.add(command_id, parse_output_request(method, params), now, deadline, out);
}

std::optional<IpcCommandRunner::Ask> IpcCommandRunner::next_ask(Instant now) {
  if (asked_ || queue_.empty()) return std::nullopt;
  if (step_ == Step::kIdle) step_ = Step::kReadBefore;
  if (is_reading_again() && now < ask_at_) return std::nullopt;
  asked_ = true;
  if (step_ == Step::kCreate) return Ask{IpcQuestion::kCommand, dialect_->create_output()};
  if (step_ == Step::kChange) return Ask{IpcQuestion::kCommand, dialect_->change(wish(), before_wish_)};
  if (step_ == Step::kUndo) return Ask{IpcQuestion::kCommand, dialect_->change(undo_wish_, before_wish_)};
  if (step_ == Step::kTakeBack) return Ask{IpcQuestion::kCommand, dialect_->change(*opposite_of(wish()), before_wish_)};
  return Ask{IpcQuestion::kOutputs, dialect_->request(IpcQuestion::kOutputs)};
}

void IpcCommandRunner::on_reply(const std::string& payload, Instant now, DriverOutputs& out) {
  asked_ = false;
  switch (step_) {
    case Step::kIdle: return;  // it was owed to a command that has ended
    case Step::kReadBefore: return on_before(payload, now, out);
    case Step::kCreate: return on_created(payload, now, out);
    case Step::kFindNew: return on_find_new(payload, now, out);
    case Step::kChange: return on_changed(payload, now, out);
    case Step::kReadBack: return on_read_back(payload, now, out);
    case Step::kTakeBack: return finish(Status::kFailed, not_done(), out);
    case Step::kUndo:
      // Refused or not: what it did is read.
      step_ = Step::kUndoReadBack;
      ask_at_ = now;
      give_up_at_ = now + kReadBackTime;
      return;
    case Step::kUndoReadBack: return on_undo_read_back(payload, now, out);
  }
}

void IpcCommandRunner::on_before(const std::string& payload, Instant, DriverOutputs& out) {
  const auto outputs = dialect_->parse_outputs(payload);
  if (!outputs) return finish(Status::kFailed, outputs.error().text, out);
  OutputCommandQueue::Entry& job = queue_.front();
  if (job.request.adds) {
    names_before_.clear();
    for (const KnownOutput& output : *outputs) names_before_.push_back(output.output.name);
    step_ = Step::kCreate;
    return;
  }
  for (const OutputCommand& wanted : job.request.wishes) {
    const auto found = dialect_->find(wanted, *outputs);
    if (!found) return finish(found.error().status, found.error().text, out);
  }
  job.before = outputs_of(job.request, *outputs);
  begin_wish(*outputs);
}

void IpcCommandRunner::on_created(const std::string& payload, Instant now, DriverOutputs& out) {
  const auto refusal = dialect_->parse_refusal(payload);
  if (!refusal) return finish(Status::kFailed, refusal.error().text, out);
  if (!refusal->empty()) {
    return finish(Status::kFailed, fmt::format("{} refused: {}", dialect_->compositor(), *refusal), out);
  }
  step_ = Step::kFindNew;
  ask_at_ = now;
  give_up_at_ = now + kReadBackTime;
}

void IpcCommandRunner::on_find_new(const std::string& payload, Instant now, DriverOutputs& out) {
  const auto outputs = dialect_->parse_outputs(payload);
  if (!outputs) return finish(Status::kFailed, outputs.error().text, out);
  const auto is_new = [&](const KnownOutput& output) {
    return output.active &&
           std::find(names_before_.begin(), names_before_.end(), output.output.name) == names_before_.end();
  };
  const auto added = std::find_if(outputs->begin(), outputs->end(), is_new);
  if (added == outputs->end()) {
    if (now >= give_up_at_) {
      return finish(Status::kFailed, fmt::format("{} said success and no output was added", dialect_->compositor()),
                    out);
    }
    ask_at_ = now + kReadBackInterval;
    return;
  }
  OutputCommandQueue::Entry& job = queue_.front();
  job.request.set_added(added->output.name);
  job.after = {*added};
  if (job.request.wishes.empty()) return finish(Status::kDone, {}, out);
  begin_wish(*outputs);
}

void IpcCommandRunner::begin_wish(const std::vector<KnownOutput>& outputs) {
  for (const KnownOutput& output : outputs) {
    if (output.output.name == wish().output) before_wish_ = output;
  }
  step_ = Step::kChange;
}

void IpcCommandRunner::on_changed(const std::string& payload, Instant now, DriverOutputs& out) {
  auto errors = dialect_->parse_refusal(payload);
  if (!errors) return finish(Status::kFailed, errors.error().text, out);
  refusal_ = std::move(*errors);
  step_ = Step::kReadBack;
  ask_at_ = now;
  give_up_at_ = now + kReadBackTime;
}

void IpcCommandRunner::on_read_back(const std::string& payload, Instant now, DriverOutputs& out) {
  OutputCommandQueue::Entry& job = queue_.front();
  const auto outputs = dialect_->parse_outputs(payload);
  if (!outputs) return finish(Status::kFailed, outputs.error().text, out);
  job.after = outputs_of(job.request, *outputs);
  if (refusal_.empty() && is_shown(wish())) {
    if (++wish_ < job.request.wishes.size()) return begin_wish(*outputs);
    const auto& wishes = job.request.wishes;
    if (std::all_of(wishes.begin(), wishes.end(), [&](const OutputCommand& w) { return is_shown(w); })) {
      return finish(Status::kDone, {}, out);
    }
    wish_ = wishes.size() - 1;
    return fail_wish(fmt::format("{} did all of it, and undid a part for a later one", dialect_->compositor()),
                     *outputs, out);
  }
  if (!refusal_.empty() || now >= give_up_at_) return fail_read_back(*outputs, out);
  ask_at_ = now + kReadBackInterval;
}

void IpcCommandRunner::fail_read_back(const std::vector<KnownOutput>& outputs, DriverOutputs& out) {
  const OutputCommandQueue::Entry& job = queue_.front();
  const std::string_view compositor = dialect_->compositor();
  if (!refusal_.empty()) return fail_wish(fmt::format("{} refused: {}", compositor, refusal_), outputs, out);
  if (job.after.empty() || job.after.size() < job.before.size())
    return fail_wish(fmt::format("{} said success, and the output is gone", compositor), outputs, out);
  if (job.request.several || !opposite_of(wish())) return fail_wish(not_done(), outputs, out);
  step_ = Step::kTakeBack;
}

void IpcCommandRunner::fail_wish(std::string error, const std::vector<KnownOutput>& outputs, DriverOutputs& out) {
  const OutputCommandQueue::Entry& job = queue_.front();
  if (!job.request.several) return finish(Status::kFailed, std::move(error), out);
  failure_ = std::move(error);
  undo_.begin(job.before, wish());
  undo_next(outputs, out);
}

void IpcCommandRunner::undo_next(const std::vector<KnownOutput>& outputs, DriverOutputs& out) {
  auto next = undo_.next(outputs, shows());
  if (!next) return finish(Status::kFailed, failure_ + undo_sentence(undo_.is_complete(outputs, shows())), out);
  undo_wish_ = std::move(*next);
  for (const KnownOutput& output : outputs) {
    if (output.output.name == undo_wish_.output) before_wish_ = output;
  }
  step_ = Step::kUndo;
}

void IpcCommandRunner::on_undo_read_back(const std::string& payload, Instant now, DriverOutputs& out) {
  OutputCommandQueue::Entry& job = queue_.front();
  const auto outputs = dialect_->parse_outputs(payload);
  if (!outputs) return finish(Status::kFailed, failure_ + "; " + outputs.error().text, out);
  job.after = outputs_of(job.request, *outputs);
  if (is_shown(undo_wish_) || now >= give_up_at_) return undo_next(*outputs, out);
  ask_at_ = now + kReadBackInterval;
}

OutputUndo::Shows IpcCommandRunner::shows() const {
  return [this](const OutputCommand& wish, const KnownOutput& output) { return dialect_->shows_wish(wish, output); };
}

void IpcCommandRunner::tick(Instant now, DriverOutputs& out) {
  if (step_ != Step::kIdle && queue_.front_is_late(now)) {
    finish(Status::kDeadline,
           fmt::format(
               "{} did not {}", dialect_->compositor(),
               is_sent() ? "show the change in time; its outcome is unknown" : "answer in time; nothing was changed"),
           out);
  }
  queue_.end_waiting(step_ != Step::kIdle, now, out);
}

Instant IpcCommandRunner::next_ask_at() const noexcept {
  if (asked_ || queue_.empty()) return kNever;
  return is_reading_again() ? ask_at_ : Instant{};
}

bool IpcCommandRunner::is_reading_again() const noexcept {
  return step_ == Step::kReadBack || step_ == Step::kFindNew || step_ == Step::kUndoReadBack;
}

bool IpcCommandRunner::is_sent() const noexcept {
  if (step_ == Step::kIdle || step_ == Step::kReadBefore) return false;
  if (step_ == Step::kCreate) return asked_;
  // Of several wishes, those before this one are done.
  return step_ != Step::kChange || asked_ || wish_ > 0 || queue_.front().request.adds;
}

void IpcCommandRunner::on_connection_lost(DriverOutputs& out) {
  const bool sent = is_sent();
  asked_ = false;
  const std::string broke = fmt::format("{}'s IPC connection broke; ", dialect_->compositor());
  if (step_ != Step::kIdle) {
    finish(Status::kFailed, broke + (sent ? "the outcome is unknown" : "nothing was changed"), out);
  }
  // Nor do the others wait for one that may not come back before their deadlines.
  queue_.end_all(Status::kFailed, broke + "nothing was changed", out);
}

void IpcCommandRunner::on_gone(DriverOutputs& out) {
  queue_.end_all(Status::kGone, "the compositor ended under the command", out);
  step_ = Step::kIdle;
}

void IpcCommandRunner::finish(Status status, std::string error, DriverOutputs& out) {
  const std::string& added = queue_.front().request.added;
  if (!error.empty() && !added.empty()) error = fmt::format("{} was added, but: {}", added, error);
  queue_.finish(status, std::move(error), out);
  step_ = Step::kIdle;
  wish_ = 0;
  refusal_.clear();
  failure_.clear();
  give_up_at_ = kNever;
}

std::string IpcCommandRunner::not_done() const {
  return fmt::format("{} said success and did not do it", dialect_->compositor());
}

bool IpcCommandRunner::is_shown(const OutputCommand& wanted) const {
  const std::vector<KnownOutput>& outputs = queue_.front().after;
  return std::any_of(outputs.begin(), outputs.end(), [&](const KnownOutput& output) {
    return output.output.name == wanted.output && dialect_->shows_wish(wanted, output);
  });
}

}  // namespace compositord::agent
