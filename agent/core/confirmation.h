#pragma once
// Changes of outputs that are taken back unless somebody confirms them in time, as a desktop's settings do: who gives the only screen
// of a wall a mode that it can't show, or cuts the line that he came by, gets the old state back.
//
//   kNone -> kAtWork -> kOpen -> kNone            changed, confirmed in time
//                |        +----> kTakingBack -> kNone   nobody did, or an end that leaves open what was done
//                +-> kNone                        nothing was changed

#include <cstdint>
#include <optional>
#include <string>

#include "agent/core/outputs.h"
#include "agent/driver_event.h"
#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::agent {

class Confirmation {
 public:
  static constexpr Duration kWithinMin = std::chrono::seconds(1);
  static constexpr Duration kWithinMax = std::chrono::minutes(10);

  // Takes "confirm_within_ms" out of the parameters of a command; nothing when it isn't there. Errors: kMalformed out of range,
  // or when `method` changes no output.
  static Result<std::optional<Duration>> take_within(const std::string& method, msg::Value& params);

  // Why a command that changes outputs can't be begun now: one waits already. Empty when it can.
  std::string obstacle(Instant now) const;
  // A command was given to the driver that is to be confirmed when it has changed something.
  void begin(std::uint64_t command_id, const std::string& method, Duration within);
  // A command ended, perhaps ours. Adds to its result what the caller has to know.
  void finished(driver_event::CommandFinished& finished, Instant now, Outputs& out);
  // Errors: kConflict when nothing waits for it. The name of the command that is confirmed.
  Result<std::string> confirm();
  // What takes the change back, when it is time for that; to be given to the driver under this id.
  std::optional<Execute> take_back(std::uint64_t command_id, Instant now, Duration allowed, Outputs& out);
  // The compositor is gone, and the change with it.
  void forget(Outputs& out);
  Instant next_deadline() const noexcept { return state_ == State::kOpen ? until_ : kNever; }

 private:
  enum class State { kNone, kAtWork, kOpen, kTakingBack };

  void taken_back(const driver_event::CommandFinished& finished, Outputs& out);

  State state_ = State::kNone;
  std::uint64_t command_id_ = 0;
  std::string method_;
  Duration within_{};
  Instant until_ = kNever;
  msg::Value before_;
};

// The command that brings back what `method` has changed: its name and parameters. `before`: as its result has it.
struct OppositeCommand {
  std::string method;
  msg::Value params;
};
OppositeCommand opposite_of(const std::string& method, const msg::Value& before);

}  // namespace compositord::agent
