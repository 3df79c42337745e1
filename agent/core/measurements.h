#pragma once
// What is measured of the compositor beside its facts: how long its last probes took, its memory and its processor time.
// Bounded, and no news by itself: a status takes along what is known when it is sent. Pure.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "agent/driver_event.h"
#include "common/base/instant.h"
#include "common/msg/status.h"

namespace compositord::agent {

class Measurements {
 public:
  // Of the round trips in the percentiles.
  static constexpr Duration kWindow = std::chrono::seconds(60);
  static constexpr std::size_t kRoundTripsMax = 128;  // twice what the usual interval of probes brings in kWindow

  // `interval`: how often the process is looked at.
  explicit Measurements(Duration interval) : interval_(interval) {}

  // It is this process (0: unknown): looked at next, and its own figures begin when it is another one.
  void watch(std::uint64_t pid, Instant now);
  void forget();
  void probe_answered(Duration round_trip, Instant now);
  void usage_seen(const driver_event::UsageSeen& usage, Instant now);
  void clients_seen(const driver_event::ClientsSeen& seen) { clients_ = seen.clients; }
  // True: look at the process and count its clients now.
  bool tick(Instant now);
  Instant next_deadline() const noexcept { return next_look_at_; }

  // What can't be known is absent.
  msg::Metrics report(Instant now) const;

 private:
  struct RoundTrip {
    Instant at;
    Duration took{};
  };
  struct Usage {
    Instant at;
    driver_event::UsageSeen seen;
  };

  Duration interval_;
  Instant next_look_at_ = kNever;  // while there is a compositor
  std::uint64_t pid_ = 0;
  std::deque<RoundTrip> round_trips_;
  std::optional<Usage> usage_;
  std::optional<double> cpu_percent_;  // between the last two looks
  std::optional<std::uint64_t> clients_;
};

}  // namespace compositord::agent
