#include "agent/output/output_command_runner.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

const KnownOutput* find_named(const std::vector<KnownOutput>& outputs, const std::string& name) {
  const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const auto& o) { return o.output.name == name; });
  return found == outputs.end() ? nullptr : &*found;
}

bool better(const msg::Mode& a, const msg::Mode& b) {
  return a.preferred != b.preferred ? a.preferred : a.refresh_mhz > b.refresh_mhz;
}

// The best mode on the monitor's list that `fitting` takes.
template <class Fitting>
std::optional<msg::Mode> best_mode(const std::vector<msg::Mode>& modes, Fitting fitting) {
  std::optional<msg::Mode> best;
  for (const msg::Mode& mode : modes) {
    if (fitting(mode) && (!best || better(mode, *best))) best = mode;
  }
  return best;
}

HeadChange as_it_is(const KnownOutput& known) {
  const msg::Output& o = known.output;
  return HeadChange{o.name, true, o.current_mode, std::pair{o.x, o.y}, o.transform, o.scale};
}

void apply_wish(const OutputCommand& command, const KnownOutput& known, HeadChange& change) {
  const std::vector<msg::Mode>& modes = known.output.modes;
  switch (command.method) {
    case OutputMethod::kMode:
      change.mode = best_mode(modes, [&](const msg::Mode& mode) { return fits(command, mode); });
      if (!change.mode)
        change.mode = msg::Mode{command.width_px, command.height_px, command.refresh_mhz.value_or(0), false};
      return;
    case OutputMethod::kScale: change.scale = command.scale; return;
    case OutputMethod::kPosition: change.position = std::pair{command.x, command.y}; return;
    case OutputMethod::kTransform: change.transform = command.transform; return;
    case OutputMethod::kEnable:
      // Without a mode there is nothing that it could show; which one is the compositor's choice only if it has a list.
      if (!known.output.current_mode) change.mode = best_mode(modes, [](const msg::Mode&) { return true; });
      return;
    case OutputMethod::kDisable: change.enabled = false; return;
    case OutputMethod::kPower: return;  // not part of a configuration
  }
}

std::string refusal(const std::string& compositor, bool testing, bool tested) {
  if (testing) return fmt::format("{} tested this configuration and said \"failed\"; nothing was changed", compositor);
  if (!tested) return fmt::format("{} refused this configuration; nothing was changed", compositor);
  return fmt::format("{} tested this configuration with success, and said \"failed\" when it applied it", compositor);
}

}  // namespace

std::vector<HeadChange> changes_for(const OutputRequest& request, const std::vector<KnownOutput>& outputs,
                                    const std::vector<KnownOutput>& heads) {
  std::vector<HeadChange> changes;
  for (const KnownOutput& head : heads) {
    const std::string& name = head.output.name;
    const KnownOutput* seen = find_named(outputs, name);
    const bool denies_itself = seen != nullptr && seen->active && !head.active;
    HeadChange change;
    change.name = name;
    if (denies_itself) change = as_it_is(*seen);
    bool is_wanted = denies_itself;
    for (const OutputCommand& wish : request.wishes) {
      if (wish.output != name) continue;
      is_wanted = true;
      apply_wish(wish, seen != nullptr ? *seen : head, change);
    }
    if (is_wanted) changes.push_back(std::move(change));
  }
  return changes;
}

void OutputCommandRunner::execute(std::uint64_t command_id, const std::string& method, const msg::Value& params,
                                  Instant now, Instant deadline, DriverOutputs& out) {
  queue_.add(command_id, parse_output_request(method, params), now, deadline, out);
}

std::optional<OutputCommandRunner::Ask> OutputCommandRunner::step(const Seen& seen, Instant now, DriverOutputs& out) {
  if (queue_.empty()) return std::nullopt;
  switch (step_) {
    case Step::kIdle: return begin(seen, now, out);
    case Step::kTest:
    case Step::kApply: return seen.outcome ? on_outcome(seen, now, out) : std::nullopt;
    case Step::kCancelled: return seen.serial != sent_serial_ ? configure(seen) : std::nullopt;
    case Step::kReadBack: read_back(seen, now, out); return std::nullopt;
  }
  return std::nullopt;
}

std::optional<OutputCommandRunner::Ask> OutputCommandRunner::begin(const Seen& seen, Instant now, DriverOutputs& out) {
  OutputCommandQueue::Entry& job = queue_.front();
  auto before = find_outputs(job.request, seen.outputs, seen.compositor);
  if (!before) {
    finish(before.error().status, before.error().text, out);
    return std::nullopt;
  }
  job.before = std::move(*before);
  for (const KnownOutput& output : job.before) {
    if (output.active || switches(job.request, output.output.name)) continue;
    finish(Status::kFailed, fmt::format("{} is switched off; use output.enable first", output.output.name), out);
    return std::nullopt;
  }
  if (shows(job.request, job.before)) {
    job.after = job.before;
    finish(Status::kDone, {}, out);
    return std::nullopt;
  }
  const OutputCommand& wish = job.request.wishes.front();
  if (wish.method != OutputMethod::kPower) return configure(seen);
  step_ = Step::kReadBack;
  give_up_at_ = now + kReadBackTime;
  return SetPower{wish.output, wish.on};
}

std::optional<OutputCommandRunner::Ask> OutputCommandRunner::configure(const Seen& seen) {
  return configure(seen, seen.can_test ? Purpose::kTest : Purpose::kApply);
}

std::optional<OutputCommandRunner::Ask> OutputCommandRunner::configure(const Seen& seen, Purpose purpose) {
  step_ = purpose == Purpose::kTest ? Step::kTest : Step::kApply;
  sent_serial_ = seen.serial;
  return Configure{changes_for(queue_.front().request, seen.outputs, seen.heads), purpose};
}

std::optional<OutputCommandRunner::Ask> OutputCommandRunner::on_outcome(const Seen& seen, Instant now,
                                                                        DriverOutputs& out) {
  const bool tested = step_ == Step::kTest;
  switch (*seen.outcome) {
    case Outcome::kSucceeded:
      tested_ = tested;
      if (tested) return configure(seen, Purpose::kApply);
      step_ = Step::kReadBack;
      give_up_at_ = now + kReadBackTime;
      read_back(seen, now, out);
      return std::nullopt;
    case Outcome::kFailed:
      look(seen);
      finish(Status::kFailed, refusal(seen.compositor, tested, tested_), out);
      return std::nullopt;
    case Outcome::kCancelled: break;
  }
  if (++tries_ < kTriesMax) {
    step_ = Step::kCancelled;
    return step(seen, now, out);
  }
  look(seen);
  finish(Status::kFailed,
         fmt::format("{} cancelled it {} times, because its outputs kept changing; nothing was changed",
                     seen.compositor, kTriesMax),
         out);
  return std::nullopt;
}

void OutputCommandRunner::look(const Seen& seen) {
  OutputCommandQueue::Entry& job = queue_.front();
  job.after = outputs_of(job.request, seen.outputs);
}

void OutputCommandRunner::read_back(const Seen& seen, Instant now, DriverOutputs& out) {
  look(seen);
  const OutputCommandQueue::Entry& job = queue_.front();
  if (shows(job.request, job.after)) return finish(Status::kDone, {}, out);
  if (now < give_up_at_) return;
  if (job.after.size() < job.before.size())
    return finish(Status::kFailed, fmt::format("{} accepted it, and the output is gone", seen.compositor), out);
  finish(Status::kFailed, fmt::format("{} accepted it and did not do it", seen.compositor), out);
}

void OutputCommandRunner::on_no_power(DriverOutputs& out) {
  if (step_ != Step::kReadBack) return;
  finish(Status::kUnsupported,
         fmt::format("{} has no power management: its zwlr_output_power_v1 is refused",
                     queue_.front().request.wishes.front().output),
         out);
}

void OutputCommandRunner::tick(Instant now, DriverOutputs& out) {
  if (step_ != Step::kIdle && queue_.front_is_late(now)) {
    const bool sent = step_ == Step::kReadBack || step_ == Step::kApply;
    finish(Status::kDeadline,
           sent ? "the compositor did not show the change in time; its outcome is unknown"
                : "the compositor did not answer in time; nothing was changed",
           out);
  }
  queue_.end_waiting(step_ != Step::kIdle, now, out);
}

void OutputCommandRunner::on_gone(DriverOutputs& out) {
  queue_.end_all(Status::kGone, "the compositor ended under the command", out);
  step_ = Step::kIdle;
  give_up_at_ = kNever;
}

void OutputCommandRunner::finish(Status status, std::string error, DriverOutputs& out) {
  queue_.finish(status, std::move(error), out);
  step_ = Step::kIdle;
  tries_ = 0;
  tested_ = false;
  give_up_at_ = kNever;
}

}  // namespace compositord::agent
