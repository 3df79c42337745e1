#pragma once
// Carries out the commands of one compositor through an OutputManager and power management, one at a time, and believes only
// what it reads back. A state machine without Wayland: its owner shows it what is seen, and sends what it asks for.
//
//   kIdle -> kTest -> kApply -> kReadBack -> kIdle          a configuration is tried before it is applied
//   kIdle -> kApply                                         where it can't be tried (KDE)
//   kTest, kApply -> kCancelled -> kTest                    it was made for outputs that have changed: again, kTriesMax times
//   kIdle -> kReadBack                                      output.power, which is never answered

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/driver.h"
#include "agent/output/output_command_queue.h"
#include "agent/output/output_manager.h"
#include "common/base/instant.h"

namespace compositord::agent {

class OutputCommandRunner {
 public:
  // An output changes within a frame or two; what isn't there after this long does not come.
  static constexpr Duration kReadBackTime = std::chrono::milliseconds(500);
  // Each cancelled configuration means that somebody else changed the outputs. Ten in a row is a quarrel, not a chance.
  static constexpr int kTriesMax = 10;

  // What is known now.
  struct Seen {
    std::string compositor;
    std::vector<KnownOutput> outputs;  // what wl_output says, with what only the heads know
    std::vector<KnownOutput> heads;    // what wlr-output-management says
    std::uint32_t serial = 0;
    bool can_test = true;            // whether a configuration can be tried before it is applied
    std::optional<Outcome> outcome;  // of the last configuration
  };
  struct Configure {
    std::vector<HeadChange> changes;
    Purpose purpose = Purpose::kTest;
  };
  struct SetPower {
    std::string output;
    bool on = true;
  };
  using Ask = std::variant<Configure, SetPower>;

  // Queues it, or ends it at once: kMalformed, kNotFound, kDeadline, kLimit when the queue is full.
  void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
               Instant deadline, DriverOutputs& out);
  // Goes on as far as what is seen allows. To be called again until it asks nothing, with the outcome shown only once.
  std::optional<Ask> step(const Seen& seen, Instant now, DriverOutputs& out);
  // SetPower could not be sent.
  void on_no_power(DriverOutputs& out);
  // Ends what is over its deadline.
  void tick(Instant now, DriverOutputs& out);
  // The compositor is gone: everything ends with kGone.
  void on_gone(DriverOutputs& out);
  Instant next_deadline() const noexcept { return std::min(give_up_at_, queue_.next_deadline()); }
  bool is_idle() const noexcept { return queue_.empty(); }
  // Whether an outcome is waited for.
  bool is_configuring() const noexcept { return step_ == Step::kTest || step_ == Step::kApply; }

 private:
  enum class Step { kIdle, kTest, kApply, kCancelled, kReadBack };

  std::optional<Ask> begin(const Seen& seen, Instant now, DriverOutputs& out);
  std::optional<Ask> configure(const Seen& seen);  // tests it first, where that is possible
  std::optional<Ask> configure(const Seen& seen, Purpose purpose);
  std::optional<Ask> on_outcome(const Seen& seen, Instant now, DriverOutputs& out);
  void read_back(const Seen& seen, Instant now, DriverOutputs& out);
  void look(const Seen& seen);
  void finish(Status status, std::string error, DriverOutputs& out);

  OutputCommandQueue queue_;  // the front one is at work unless kIdle
  Step step_ = Step::kIdle;
  std::uint32_t sent_serial_ = 0;
  int tries_ = 0;        // of the one at work
  bool tested_ = false;  // it was tried with success
  Instant give_up_at_ = kNever;
};

// What a request means for the heads. Also names heads that say they are off while their wl_output is there, as sway 1.7
// has it for outputs without a list of modes (sway#5972): left as they say, they would be switched off.
std::vector<HeadChange> changes_for(const OutputRequest& request, const std::vector<KnownOutput>& outputs,
                                    const std::vector<KnownOutput>& heads);

}  // namespace compositord::agent
