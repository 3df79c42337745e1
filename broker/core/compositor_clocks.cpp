// Whose clock is wrong: an agent's, which then differs from the others', or the broker's, from which most agents differ alike.
// Source: schemas/PROTOCOL.md "Alerts".

#include <algorithm>

#include <fmt/format.h>

#include "broker/core/alert_texts.h"
#include "broker/core/compositor_table.h"

namespace compositord::broker {

namespace {

// Fewer agents that agree with each other are no witness against the broker.
constexpr std::size_t kWitnessesMin = 3;

constexpr std::int64_t apart(std::int64_t a, std::int64_t b) { return a < b ? b - a : a - b; }
double in_seconds(std::int64_t ms) { return static_cast<double>(ms) / 1e3; }
std::int64_t calendar_at_origin(Now now) { return now.calendar.ms - now.instant.ns() / 1'000'000; }

}  // namespace

void CompositorTable::see_clock(Compositor& c, UnixMs sent_at, Now now, Outputs& out) {
  constexpr std::int64_t kFar = std::int64_t{100} * 365 * 24 * 3'600 * 1'000;
  // The numbers are the peer's: their difference may be more than a number can hold.
  const std::int64_t clock_ms = std::clamp(sent_at.ms, -kFar, kFar) - now.instant.ns() / 1'000'000;
  const bool moved = !c.clock_ms || apart(*c.clock_ms, clock_ms) >= ClockSkews::kGrainMs;
  if (moved) {
    if (c.clock_ms) clocks_.remove(*c.clock_ms);
    clocks_.add(clock_ms);
    c.clock_ms = clock_ms;
    judge_broker_clock(now, out);
  }
  judge_clock(c, now, out);
}

void CompositorTable::forget_clock(Compositor& c, Now now, Outputs& out) {
  if (!c.clock_ms) return;
  clocks_.remove(*c.clock_ms);
  c.clock_ms.reset();
  judge_broker_clock(now, out);
}

// After a start: whether those who are back are too few to tell whose clock is wrong.
bool CompositorTable::agents_return(Instant now) const {
  return now < returned_by_ && clocks_.agents() * 2 <= compositors_.size();
}

void CompositorTable::judge_clock(const Compositor& c, Now now, Outputs& out) {
  if (!c.clock_ms) return;
  const std::int64_t skew_max_ms = to_ms(config_.alerts.clock_skew_max);
  const std::int64_t skew_ms = *c.clock_ms - calendar_at_origin(now);
  const bool as_most = broker_skew_ms_ && apart(skew_ms, *broker_skew_ms_) <= skew_max_ms + ClockSkews::kGrainMs;
  if (apart(skew_ms, 0) <= skew_max_ms || as_most) return alerts_.clear(c.status.id, "clock", now, out);
  if (!broker_skew_ms_ && agents_return(now.instant)) return;
  const Fault fault{{},
                    msg::Verdict::kDegraded,
                    fmt::format("the agent's clock is {} the broker's", skew_ms > 0 ? "ahead of" : "behind"),
                    msg::AlertKind::kClockSkew};
  std::string seen = fmt::format("the difference is {:.1f} s", in_seconds(apart(skew_ms, 0)));
  if (broker_skew_ms_) {
    seen += fmt::format("; most agents are {:.1f} s {} the broker", in_seconds(apart(*broker_skew_ms_, 0)),
                        *broker_skew_ms_ > 0 ? "ahead of" : "behind");
  }
  alerts_.raise(c.status.id, "clock", fault, c.status.labels, seen, now, out);
}

void CompositorTable::judge_broker_clock(Now now, Outputs& out) {
  // Without agents, or with few of many, nobody knows: what was found before stays.
  if (clocks_.agents() == 0 || agents_return(now.instant)) return;
  const std::int64_t skew_max_ms = to_ms(config_.alerts.clock_skew_max);
  const ClockSkews::Middle middle = clocks_.middle(calendar_at_origin(now), skew_max_ms);
  const bool most = middle.agents * 2 > clocks_.agents() && (broker_skew_ms_ || middle.agents >= kWitnessesMin);
  const std::optional<std::int64_t> before = broker_skew_ms_;
  // By a grain less, so that no agent is over the limit when the one in the middle is not.
  const bool is_wrong = most && apart(middle.skew_ms, 0) + ClockSkews::kGrainMs > skew_max_ms;
  broker_skew_ms_ = is_wrong ? std::optional(middle.skew_ms) : std::nullopt;
  if (is_wrong) {
    const bool behind = middle.skew_ms > 0;
    const Fault fault{{},
                      msg::Verdict::kDegraded,
                      fmt::format("the broker's clock is {} most agents'", behind ? "behind" : "ahead of"),
                      msg::AlertKind::kClockSkew,
                      false,
                      std::nullopt,
                      std::nullopt,
                      "Ask timedatectl on the broker's host whether its time is right and synchronised (chrony, "
                      "systemd-timesyncd); if it is, look at the time server that the agents share."};
    const std::string seen =
        fmt::format("{} of {} connected agents are {:.1f} s {} it", middle.agents, clocks_.agents(),
                    in_seconds(apart(middle.skew_ms, 0)), behind ? "ahead of" : "behind");
    alerts_.raise(kBusItself, "clock", fault, {}, seen, now, out);
  } else {
    alerts_.clear(kBusItself, "clock", now, out);
  }
  const bool news = before.has_value() != is_wrong || (is_wrong && apart(*before, middle.skew_ms) > skew_max_ms);
  if (!news) return;
  for (const auto& [id, c] : compositors_) judge_clock(c, now, out);
}

void CompositorTable::judge_clocks(Now now, Outputs& out) {
  judge_broker_clock(now, out);
  for (const auto& [id, c] : compositors_) judge_clock(c, now, out);
}

}  // namespace compositord::broker
