#pragma once
// Carries out `screenshot`, one at a time, with whatever reads the pixels:
//
//   kIdle -> kCapturing -> kEncoding -> kSending -> kIdle

#include <poll.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/capture/capture.h"
#include "agent/capture/encoder.h"
#include "agent/capture/screenshot_request.h"
#include "agent/driver.h"
#include "common/base/instant.h"
#include "common/msg/value.h"

namespace compositord::agent {

class ScreenshotRunner {
 public:
  static constexpr std::size_t kWaitingMax = 4;
  // 1 MiB: what has to be sent besides, heartbeats first of all, gets its turn in between.
  static constexpr int kPartsPerTurnMax = 4;

  explicit ScreenshotRunner(CaptureFactory factory) : factory_(std::move(factory)) {}

  // Queues it, or ends it at once: kMalformed, kDeadline, kLimit when too many wait.
  void execute(std::uint64_t command_id, const msg::Value& params, Instant now, Instant deadline, DriverOutputs& out);
  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept;
  // Goes on with the one at work, and ends what is over its deadline.
  void service(Instant now, DriverOutputs& out);
  // `what` is gone, "the compositor" or "the display": everything ends with kGone.
  void on_gone(std::string_view what, DriverOutputs& out);
  bool is_idle() const noexcept { return jobs_.empty(); }
  // Why this compositor will never give one, when it has told so since the last call.
  std::optional<std::string> take_refusal() { return std::exchange(refusal_, std::nullopt); }

 private:
  enum class Step { kIdle, kCapturing, kEncoding, kSending };
  struct Job {
    std::uint64_t id = 0;
    ScreenshotRequest request;
    Instant deadline;
  };

  void end_late(Instant now, DriverOutputs& out);
  void begin(DriverOutputs& out);
  void capture(Instant now, DriverOutputs& out);
  void encode(DriverOutputs& out);
  void send(DriverOutputs& out);
  void fail_front(const Error& error, DriverOutputs& out);
  void drop_front();

  CaptureFactory factory_;
  std::deque<Job> jobs_;  // the front one is at work unless kIdle
  Step step_ = Step::kIdle;
  std::unique_ptr<Capture> capture_;
  Encoder encoder_;
  Screenshot screenshot_;  // in kSending
  std::size_t sent_bytes_ = 0;
  std::optional<std::string> refusal_;
};

}  // namespace compositord::agent
