#pragma once
// The agent's session with the broker: connect, register, READY, heartbeats both ways, and back again after a loss.
//
//   state        | becomes      | when
//   -------------|--------------|-----------------------------------------------------------------------------
//   kConnecting  | kRegistering | the connection is up (libzmq tries by itself); `register` is sent
//   kRegistering | kOnline      | 200; READY is sent
//   kRegistering | kBackingOff  | refused, or no answer within reply_timeout
//   kOnline      | kBackingOff  | DISCONNECT, the connection closed, or liveness × interval without a word
//   kBackingOff  | kConnecting  | the back-off is over; a NEW socket (18/MDP: after DISCONNECT the old one is dead)
//   kOnline      | kLeaving     | stop(); `leave` is sent
//   kLeaving     | kFinished    | its answer, or leave_timeout
//   others       | kFinished    | stop()

#include <cstdint>
#include <optional>
#include <string>

#include "agent/core/agent_config.h"
#include "agent/core/outputs.h"
#include "common/base/random.h"
#include "common/msg/envelope.h"

namespace compositord::agent {

enum class SessionState : std::uint8_t { kConnecting, kRegistering, kOnline, kBackingOff, kLeaving, kFinished };

// What an answer of the bus was to.
enum class Question : std::uint8_t { kRegister, kStatus, kManifest, kLeave };

class BusSession {
 public:
  BusSession(const AgentConfig& config, std::uint64_t seed) : config_(config), random_(seed) {}

  void connected(Instant now, Outputs& out);
  void disconnected(Instant now, Outputs& out);        // the connection closed
  void told_to_disconnect(Instant now, Outputs& out);  // the broker sent DISCONNECT
  void heard(Instant now) noexcept { last_heard_ = now; }
  void stop(Instant now, Outputs& out);
  void tick(Instant now, Outputs& out);
  void stalled(Duration lateness) noexcept;
  Instant next_deadline() const noexcept;

  // Sends a call to bus.agent. Answers come back through answered().
  void ask(Question question, msg::Value params, Outputs& out);
  // A reply of the bus: which question it answers; nothing when it was asked in an earlier session.
  // Handles register and leave itself: after kRegister with success the session is online.
  std::optional<Question> answered(const msg::Reply& reply, Instant now, Outputs& out);

  SessionState state() const noexcept { return state_; }
  bool online() const noexcept { return state_ == SessionState::kOnline; }

 private:
  void enter(SessionState state, std::string_view why, Outputs& out);
  void back_off(std::string_view why, Instant now, Outputs& out);
  void on_registered(const msg::Reply& reply, Instant now, Outputs& out);
  Duration silence_max() const { return interval_ * liveness_; }

  const AgentConfig& config_;
  Random random_;
  SessionState state_ = SessionState::kConnecting;
  Duration interval_ = std::chrono::seconds(1);  // agreed
  int liveness_ = 3;
  Instant deadline_ = kNever;  // of kRegistering, kBackingOff, kLeaving
  Instant next_heartbeat_;     // while online
  Instant last_heard_;
  Instant online_since_;
  Duration backoff_{};
  // Call ids: the question in the lowest bits, so that an answer names what it answers, above it the session.
  std::uint64_t session_ = 0;
};

}  // namespace compositord::agent
