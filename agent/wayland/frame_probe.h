#pragma once
// Whether a compositor draws. One that answers each round trip may still show nothing new: its backend waits for a display that
// answers no more, or its renderer hangs. So a pixel that nobody sees is put above each output that is on, and each must be told
// that a frame was drawn. It is there for a moment only, on a connection of its own: while a surface lies above the others, a
// program that fills the screen is composed and not shown directly.
//
//   kWaiting -> kGreeting (outputs, their names, which are awake) -> kShowing -> kWaiting       all have drawn
//                                                                    kShowing -> kConfirming    not all within kFrameTime
//   kConfirming -> kWaiting    it answers a round trip: then it draws no frames. It answers none: nothing is said, for that is
//                              what the other probe is about
//
// An output whose monitor sleeps draws nothing, and that is no fault; so it needs a compositor that tells which ones sleep.

#include <poll.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/process/peer.h"
#include "common/base/instant.h"

namespace compositord::agent {

class FrameProbe {
 public:
  static constexpr Duration kFrameTime = std::chrono::seconds(2);
  static constexpr Duration kConfirmTime = std::chrono::seconds(5);
  // A busy machine misses one.
  static constexpr int kMissesMin = 2;

  // Zero: it never probes.
  explicit FrameProbe(Duration interval);
  ~FrameProbe();
  FrameProbe(const FrameProbe&) = delete;
  FrameProbe& operator=(const FrameProbe&) = delete;

  struct Target {
    std::string compositor;  // its name, for sentences
    std::string socket_path;
    const Peer& peer;
  };
  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept;
  // Says FramesSeen when an output has drawn for the first time, and when that has changed.
  void service(const Target& target, Instant now, DriverOutputs& out);

 private:
  enum class State { kWaiting, kGreeting, kShowing, kConfirming };
  struct Attempt;  // its connection, and what lives on it

  void begin(const Target& target, Instant now, DriverOutputs& out);
  void greet(const Target& target, Instant now, DriverOutputs& out);
  void judge(const Target& target, Instant now, DriverOutputs& out);
  // It can't be done this time, or never here; that is a line in the log when it is news.
  void give_up(const std::string& why, bool for_ever, Instant now, DriverOutputs& out);
  void missed(std::string text, Instant now, DriverOutputs& out);
  void say(std::string trouble, DriverOutputs& out);
  void end(Instant next);

  Duration interval_;
  State state_ = State::kWaiting;
  Instant begun_at_;
  Instant next_at_;  // kNever where it can't be done
  Instant until_ = kNever;
  int misses_ = 0;
  std::optional<std::string> trouble_;  // as it was said last
  std::string logged_;
  std::unique_ptr<Attempt> attempt_;
};

}  // namespace compositord::agent
