#pragma once
// The agent as a pure state machine, like the broker's: step(now, input) appends what must be done.
// It keeps three things that know nothing of each other and lets them speak: the session with the broker (bus_session), the
// judgement of the compositor (health), and the commands in hand (commands).

#include <cstdint>
#include <optional>

#include "agent/core/agent_config.h"
#include "agent/core/bus_session.h"
#include "agent/core/commands.h"
#include "agent/core/health.h"
#include "agent/core/input.h"
#include "agent/core/outputs.h"

namespace compositord::agent {

class AgentCore {
 public:
  // The first input must be CalendarSet. `seed` is for the jitter of the back-off.
  AgentCore(AgentConfig config, std::uint64_t seed, Instant now);
  AgentCore(const AgentCore&) = delete;
  AgentCore& operator=(const AgentCore&) = delete;

  void step(Instant now, Input input, Outputs& out);
  Instant next_deadline() const noexcept;
  bool check_invariants() const;
  SessionState session_state() const noexcept { return session_.state(); }

 private:
  void on(input::BusConnected&, Instant now, Outputs& out);
  void on(input::BusDisconnected&, Instant now, Outputs& out);
  void on(input::Received& received, Instant now, Outputs& out);
  void on(input::TooLarge&, Instant now, Outputs& out);
  void on(input::DriverStarted&, Instant now, Outputs& out);
  void on(input::FromDriver& from, Instant now, Outputs& out);
  void on(input::CalendarSet& calendar, Instant now, Outputs& out);
  void on(input::Stalled& stalled, Instant now, Outputs& out);
  void on(input::Stop&, Instant now, Outputs& out);
  void on(input::Tick&, Instant now, Outputs& out);

  void on_reply(const wire::mdp::ClientReply& reply, Instant now, Outputs& out);
  void on_manifest_answer(const msg::Reply& reply, Instant now, Outputs& out);
  void on_described(driver_event::Described& described, Instant now, Outputs& out);
  void on_gone(const driver_event::Gone& gone, Instant now, Outputs& out);
  // Sends what the broker has not got yet: at most one status and one manifest are on their way at a time.
  void report(Instant now, Outputs& out);
  Instant report_deadline() const noexcept;

  // What must reach the broker, and how far it is.
  struct Report {
    bool wanted = false;          // there is something newer than what was sent
    Instant not_before;           // a retry or the first look waits until then
    std::optional<Instant> sent;  // on its way since
  };

  AgentConfig config_;
  BusSession session_;
  Health health_;
  Commands commands_;
  std::optional<msg::Manifest> manifest_;  // the last one seen
  bool described_ = false;                 // by the compositor that is there now
  Report status_report_;
  Report manifest_report_;
  Instant next_refresh_ = kNever;  // of the status, while online
  std::int64_t unix_ms_at_origin_ = 0;
};

}  // namespace compositord::agent
