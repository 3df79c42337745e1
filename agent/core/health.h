#pragma once
// The agent's judgement of its compositor: what the kernel and the probes say -> the process fact, the progress fact and the
// output facts. Pure.
//
//   progress    | becomes    | when
//   ------------|------------|----------------------------------------------------------------
//   any         | kUnknown   | the compositor is gone, or a new one has accepted a connection
//   any         | kOk        | the probe was answered, and the last ones didn't take much longer than usual
//   any         | kSlow      | the probe was answered, but the compositor draws no frames (where that is looked at)
//   any         | kSlow      | the probe was answered, but the last ones took much longer than usual (usual_round_trip.h)
//   kOk/kUnknown| kSlow      | the probe is older than slow_after
//   kSlow       | kSuspect   | … than suspect_after
//   kSuspect    | kFrozen    | … than frozen_after

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/agent_config.h"
#include "agent/core/planned_dark.h"
#include "agent/core/usual_round_trip.h"
#include "agent/driver_event.h"
#include "common/base/instant.h"
#include "common/msg/status.h"

namespace compositord::agent {

// What to do now.
struct HealthActions {
  bool start_probe = false;
  bool look_at_process = false;
};

class Health {
 public:
  Health(const HealthConfig& config, Instant now);

  // Each returns true when a state changed, so that it must be reported.
  bool driver_started(Instant now);  // a connection was accepted: its first round trip counts as a probe
  bool described(Instant now);       // … and was answered
  bool probe_answered(Instant now);
  bool cause_seen(const driver_event::CauseSeen& seen, Instant now);
  bool frames_seen(const driver_event::FramesSeen& seen, Instant now);
  // A command is under way that switches this output off: when it goes dark by `until`, that was planned.
  void expect_dark(const std::string& output, Instant until) { planned_dark_.expect(output, until); }
  bool outputs_changed(const std::vector<std::pair<std::string, msg::OutputState>>& outputs, Instant now);
  bool gone(const driver_event::Gone& gone, Instant now);
  // Somebody told how what is gone, or the part that is lost, ended; false when that is known, or news of a time that is over.
  bool end_told(const driver_event::Gone& gone, Instant now);
  // What answers is only a part of what was there: the compositing manager crashed, its X server goes on. Until it is back,
  // or this is gone as well, the process fact says how it ended. `note`: the sentence for it.
  bool part_lost(const ProcessEnd& end, std::string note, Instant now);
  bool part_back(Instant now);
  bool tick(Instant now, HealthActions& actions);
  // We were late ourselves: the probe's age counts without it.
  void stalled(Duration lateness);

  Instant next_deadline() const noexcept;
  // Whether a compositor has been seen at all since the agent started.
  bool has_compositor() const noexcept { return stage_ != Stage::kAbsent; }
  const std::optional<Duration>& round_trip() const noexcept { return round_trip_; }  // of the last answered probe
  // "a probe took 120 ms, its usual is 3 ms", while it answers much slower than usual; else empty.
  const std::string& slowness() const noexcept { return slowness_; }
  // The facts, with times on the calendar whose origin is `unix_ms_at_origin`.
  msg::StatusReport report(Instant now, std::int64_t unix_ms_at_origin) const;

 private:
  enum class Stage : std::uint8_t { kAbsent, kWaitingForProbe, kProbeOutstanding };
  template <class State>
  struct Fact {
    State state = State::kUnknown;
    Instant since;
    Instant observed_at;
    bool planned = false;  // of an output that is dark
  };
  template <class State>
  static bool set(Fact<State>& fact, State state, Instant now);
  bool answered(Instant now);
  msg::Progress answering() const noexcept;  // what it makes of an answer
  std::optional<std::string> note() const;
  msg::Process running() const noexcept;             // what it is while it answers
  bool worsen(msg::Progress progress, Instant now);  // as far as the age of the probe tells

  HealthConfig config_;
  Stage stage_ = Stage::kAbsent;
  bool greeted_ = false;   // the round trip that driver_started() began was answered
  Instant probe_sent_at_;  // while outstanding
  Instant next_probe_at_;  // while waiting
  Instant next_look_at_;   // while outstanding: when to ask the kernel again
  Fact<msg::Process> process_;
  ProcessEnd end_;
  std::optional<std::string> lost_part_;  // the sentence
  bool ended_as_when_asked_ = false;
  std::string end_told_by_;
  Fact<msg::Progress> progress_;
  std::optional<Duration> round_trip_;
  std::string cause_;  // of a late probe, as the kernel tells it
  UsualRoundTrip usual_;
  std::string slowness_;
  std::string undrawn_;  // that it answers and draws no frames, a sentence; empty: it draws, or nobody looks
  std::vector<std::pair<std::string, Fact<msg::OutputState>>> outputs_;
  PlannedDark planned_dark_;
};

}  // namespace compositord::agent
