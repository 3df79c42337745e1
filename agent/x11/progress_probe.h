#pragma once
// The driver's probe of an X display: the server must answer, and then the compositor, by the best question that it is
// known to answer.
//
//   kIdle -> kServer (GetInputFocus) -> kClient (a question to the compositor) -> kIdle, answered
//
// A question counts as an alarm only where it has been answered before by the same process: some never answer some. An
// unproven question is tried for kTrial and then taken back. Where no question is left there is /proc: a stopped process
// answers nothing, so neither does the probe.

#include <chrono>
#include <optional>

#include "agent/x11/frame_extents_probe.h"
#include "agent/x11/paint_probe.h"
#include "agent/x11/server_probe.h"
#include "agent/x11/x_client.h"
#include "common/base/instant.h"

namespace compositord::agent::x11 {

class ProgressProbe {
 public:
  // Shorter than what the agent calls slow.
  static constexpr Duration kTrial = std::chrono::milliseconds(250);
  static constexpr Duration kTrialAgainFirst = std::chrono::seconds(2);
  static constexpr Duration kTrialAgainMax = std::chrono::minutes(1);
  // Painting touches the screen. With the agent's own times a frozen compositing manager is suspect after 5 s at the latest.
  static constexpr Duration kPaintInterval = std::chrono::seconds(3);
  static constexpr Duration kStoppedRecheck = std::chrono::milliseconds(100);

  ProgressProbe(XConnection& connection, const XAtoms& atoms)
      : server_(connection), paint_(connection), frame_extents_(connection, atoms) {}

  // Who must answer after the server. With another process than before, nothing is known of it.
  struct Target {
    const XClient* client = nullptr;  // none: the server alone
    bool composites = false;
    bool manages = false;
    // Where to paint: on an output that is on. None: nothing is on.
    std::optional<std::pair<std::int16_t, std::int16_t>> corner;
  };
  void start();
  bool is_running() const noexcept { return state_ != State::kIdle; }
  void on_event(const xcb_generic_event_t& event);
  // True once when all have answered.
  bool service(const Target& target, Instant now);
  Instant next_deadline() const noexcept;

 private:
  enum class State { kIdle, kServer, kClient };
  struct Question {
    bool is_proven = false;
    Instant not_before;  // the next try
    Duration try_again = kTrialAgainFirst;
  };

  void notice(const Target& target);
  void ask_client(const Target& target, Instant now);
  void begin(ClientProbe& probe, Question& question, Instant now);
  bool service_client(const Target& target, Instant now);
  void give_up_trial(Instant now);

  ServerProbe server_;
  PaintProbe paint_;
  FrameExtentsProbe frame_extents_;
  Question paint_question_;
  Question frame_extents_question_;
  State state_ = State::kIdle;
  ClientProbe* asked_ = nullptr;  // while the compositor is asked
  Question* question_ = nullptr;
  Instant trial_until_ = kNever;
  Instant recheck_at_ = kNever;
  Peer known_;  // whom the questions' records are about
};

}  // namespace compositord::agent::x11
