#pragma once
// The agent as a pure state machine, like the broker's: step(now, input) appends what must be done.
// It keeps things that know little of each other and lets them speak: the session with the broker (bus_session), the
// judgement of the compositor (health), what is measured of it (measurements), the commands in hand (commands), and, when
// the agent starts its compositor itself, what it does about that (supervision).

#include <cstdint>
#include <optional>

#include "agent/core/agent_config.h"
#include "agent/core/bus_session.h"
#include "agent/core/commands.h"
#include "agent/core/health.h"
#include "agent/core/input.h"
#include "agent/core/measurements.h"
#include "agent/core/outputs.h"
#include "agent/core/supervision.h"

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
  void on(input::EndTold& told, Instant now, Outputs& out);
  void on(input::CalendarSet& calendar, Instant now, Outputs& out);
  void on(input::Stalled& stalled, Instant now, Outputs& out);
  void on(input::ChildStarted& child, Instant now, Outputs& out);
  void on(input::ChildStartFailed& child, Instant now, Outputs& out);
  void on(input::ChildPrinted& child, Instant now, Outputs& out);
  void on(input::ChildEnded& child, Instant now, Outputs& out);
  void on(input::Stop&, Instant now, Outputs& out);
  void on(input::Tick&, Instant now, Outputs& out);

  void expect_dark(const Execute& execute);
  void on_reply(const wire::mdp::ClientReply& reply, Instant now, Outputs& out);
  void on_manifest_answer(const msg::Reply& reply, Instant now, Outputs& out);
  void on_described(driver_event::Described& described, Instant now, Outputs& out);
  void on_gone(const driver_event::Gone& gone, Instant now, Outputs& out);
  bool compare_parts(const msg::Manifest& next, Instant now, Outputs& out);
  // What the last step said and saw, for the report of a crash.
  void record(Instant now, std::size_t log_before, const Outputs& out);
  msg::StatusReport status_report(Instant now);
  // Sends what the broker has not got yet: at most one status and one manifest are on their way at a time.
  void report(Instant now, Outputs& out);
  Instant report_deadline() const noexcept;

  // What must reach the broker, and how far it is.
  struct Report {
    bool wanted = false;            // there is something newer than what was sent
    Instant not_before;             // a retry or the first look waits until then
    std::optional<Instant> sent{};  // on its way since
    int overtaken = 0;              // sent before that and not answered: of no interest any more
  };

  AgentConfig config_;
  BusSession session_;
  Health health_;
  Measurements measurements_;
  Commands commands_;
  std::optional<Supervision> supervision_;
  bool leaving_ = false;       // asked to end, as soon as our compositor has
  bool crash_unsent_ = false;  // in this session
  bool crash_on_its_way_ = false;
  std::optional<msg::Manifest> manifest_;  // the last one seen
  bool described_ = false;                 // by the compositor that is there now
  std::optional<ProcessEnd> crash_;        // of what manifest_ describes, until something is described anew
  std::string lost_role_;                  // of the part that was there before that crash and is not back yet
  Report status_report_;
  Report manifest_report_;
  Instant next_refresh_ = kNever;  // of the status, while online
  std::int64_t unix_ms_at_origin_ = 0;
};

}  // namespace compositord::agent
