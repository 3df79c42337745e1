#pragma once
// Runs a trace again: the core that it names, with all that went into it, at the times at which it did.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "broker/core/broker_core.h"
#include "broker/trace/trace_reader.h"
#include "common/base/result.h"

namespace compositord::broker {

// One step of the core, then and now.
struct ReplayedStep {
  std::uint64_t number = 0;  // counts the steps, from 1
  Instant at;
  std::optional<Input> input;             // nothing: load(), of what the store had remembered
  Outputs outputs;                        // of now
  OutputsDigest digest;                   // of now
  std::optional<OutputsDigest> recorded;  // nothing: the broker ended in this step, or was killed before it was written
  bool invariants_hold = true;

  bool is_identical() const noexcept { return !recorded || *recorded == digest; }
};

// What is about to be run.
struct NextStep {
  std::uint64_t number = 0;
  Instant at;
  const std::optional<Input>& input;
};

class Replay {
 public:
  // Errors: those of TraceReader, and kMalformed when the header is missing.
  static Result<Replay> open(const std::filesystem::path& path);

  const TraceHeader& header() const noexcept { return header_; }
  // What the calendar says at an instant, as far as the trace has told it.
  UnixMs unix_at(Instant at) const noexcept { return UnixMs{unix_ms_at_origin_ + at.ns() / 1'000'000}; }

  // Is told of each step before it is run: of one that crashes nothing else will be heard.
  void set_before_step(std::function<void(const NextStep&)> before_step) { before_step_ = std::move(before_step); }
  // Runs the next step; nothing at the end. Errors: kMalformed for a damaged record; the steps before it were whole.
  Result<std::optional<ReplayedStep>> next();
  // After the end: why the file has no proper one, or empty.
  const std::string& cut_off() const noexcept { return cut_off_; }

 private:
  using Read = std::variant<TraceRecord, TraceEnd>;
  Replay(TraceReader reader, TraceHeader header);
  Result<Read> read();
  ReplayedStep run(Instant at, std::optional<Input> input);
  Result<std::optional<ReplayedStep>> complete(ReplayedStep step);

  TraceReader reader_;
  std::optional<Result<Read>> put_back_;  // read while the outputs of a step were looked for
  TraceHeader header_;
  StoredState stored_;
  std::function<void(const NextStep&)> before_step_;
  std::unique_ptr<BrokerCore> core_;
  std::uint64_t steps_ = 0;
  std::int64_t unix_ms_at_origin_ = 0;
  std::string cut_off_;
};

}  // namespace compositord::broker
