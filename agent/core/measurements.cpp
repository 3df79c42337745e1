#include "agent/core/measurements.h"

#include <cmath>
#include <vector>

#include "agent/core/percentile.h"

namespace compositord::agent {

namespace {

std::uint64_t microseconds_of(Duration duration) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

}  // namespace

void Measurements::watch(std::uint64_t pid, Instant now) {
  if (next_look_at_ != kNever && pid_ == pid) return;
  pid_ = pid;
  usage_.reset();
  cpu_percent_.reset();
  clients_.reset();
  next_look_at_ = now;
}

void Measurements::forget() { *this = Measurements(interval_); }

void Measurements::probe_answered(Duration round_trip, Instant now) {
  round_trips_.push_back(RoundTrip{now, round_trip});
  if (round_trips_.size() > kRoundTripsMax) round_trips_.pop_front();
}

void Measurements::usage_seen(const driver_event::UsageSeen& seen, Instant now) {
  const bool comparable = usage_ && now > usage_->at && seen.cpu_time >= usage_->seen.cpu_time;
  cpu_percent_.reset();
  if (comparable) {
    const auto used = static_cast<double>((seen.cpu_time - usage_->seen.cpu_time).count());
    // The kernel counts in hundredths of a second: of ten seconds that is a tenth of a per cent.
    cpu_percent_ = std::round(1'000.0 * used / static_cast<double>((now - usage_->at).count())) / 10;
  }
  usage_ = Usage{now, seen};
}

bool Measurements::tick(Instant now) {
  if (now < next_look_at_) return false;
  next_look_at_ = now + interval_;
  return true;
}

msg::Metrics Measurements::report(Instant now) const {
  msg::Metrics metrics;
  std::vector<Duration> recent;
  for (const RoundTrip& one : round_trips_) {
    if (now - one.at <= kWindow) recent.push_back(one.took);
  }
  if (!recent.empty()) {
    metrics.probe_p50_us = microseconds_of(percentile(recent, 50));
    metrics.probe_p99_us = microseconds_of(percentile(recent, 99));
  }
  if (usage_) metrics.rss_bytes = usage_->seen.rss_bytes;
  metrics.cpu_percent = cpu_percent_;
  metrics.clients = clients_;
  return metrics;
}

}  // namespace compositord::agent
