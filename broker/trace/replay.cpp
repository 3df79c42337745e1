#include "broker/trace/replay.h"

#include <utility>

namespace compositord::broker {

Result<Replay> Replay::open(const std::filesystem::path& path) {
  Result<TraceReader> reader = TraceReader::open(path);
  if (!reader) return tl::unexpected<Error>(reader.error());
  Result<Read> first = reader->next();
  if (!first) return tl::unexpected<Error>(first.error());
  auto* record = std::get_if<TraceRecord>(&*first);
  auto* header = record != nullptr ? std::get_if<TraceHeader>(record) : nullptr;
  if (header == nullptr) return fail(Status::kMalformed, "the trace has no header");
  return Replay(std::move(*reader), std::move(*header));
}

Replay::Replay(TraceReader reader, TraceHeader header)
    : reader_(std::move(reader)),
      header_(std::move(header)),
      core_(std::make_unique<BrokerCore>(header_.config, header_.epoch)) {
  stored_.epoch = header_.epoch;
}

Result<std::optional<ReplayedStep>> Replay::next() {
  for (;;) {
    Result<Read> got = read();
    if (!got) return tl::unexpected<Error>(got.error());
    if (auto* end = std::get_if<TraceEnd>(&*got)) {
      cut_off_ = std::move(end->cut_off);
      return std::nullopt;
    }
    TraceRecord& record = std::get<TraceRecord>(*got);
    if (auto* input = std::get_if<TraceInput>(&record)) return complete(run(input->at, std::move(input->input)));
    if (const auto* load = std::get_if<TraceLoad>(&record)) return complete(run(load->at, std::nullopt));
    if (auto* compositor = std::get_if<CompositorRecord>(&record)) {
      stored_.compositors.push_back(std::move(*compositor));
      continue;
    }
    if (auto* job = std::get_if<JobRecord>(&record)) {
      stored_.jobs.push_back(std::move(*job));
      continue;
    }
    if (auto* alert = std::get_if<AlertRecord>(&record)) {
      stored_.alerts.push_back(std::move(*alert));
      continue;
    }
    if (auto* window = std::get_if<WindowRecord>(&record)) {
      stored_.windows.push_back(std::move(*window));
      continue;
    }
    return fail(Status::kMalformed, "a header or outputs where an input should be");
  }
}

Result<Replay::Read> Replay::read() {
  if (!put_back_) return reader_.next();
  return *std::exchange(put_back_, std::nullopt);
}

// Without an input it is load().
ReplayedStep Replay::run(Instant at, std::optional<Input> input) {
  ReplayedStep step;
  step.number = ++steps_;
  step.at = at;
  step.input = std::move(input);
  const auto* calendar = step.input ? std::get_if<input::CalendarSet>(&*step.input) : nullptr;
  if (calendar != nullptr) unix_ms_at_origin_ = calendar->unix_ms_at_origin;
  if (before_step_) before_step_(NextStep{step.number, step.at, step.input});
  if (step.input) {
    core_->step(at, *step.input, step.outputs);
  } else {
    core_->load(at, stored_, step.outputs);
  }
  return step;
}

Result<std::optional<ReplayedStep>> Replay::complete(ReplayedStep step) {
  step.digest = digest_since({}, step.outputs);
  step.invariants_hold = core_->check_invariants();
  Result<Read> behind = read();
  const auto* record = behind ? std::get_if<TraceRecord>(&*behind) : nullptr;
  const auto* recorded = record != nullptr ? std::get_if<OutputsDigest>(record) : nullptr;
  if (recorded != nullptr) {
    step.recorded = *recorded;
  } else {
    put_back_ = std::move(behind);
  }
  return std::optional(std::move(step));
}

}  // namespace compositord::broker
