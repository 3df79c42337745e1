#pragma once
// Time as the cores see it: a parameter, never something they read.
//
// An Instant is a point on the monotonic clock (its origin means nothing outside this process), a Duration the
// distance between two, and UnixMs a point on the calendar, which may jump and is used only for showing and storing.

#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>

namespace compositord {

using Duration = std::chrono::nanoseconds;

class Instant {
 public:
  constexpr Instant() noexcept = default;
  static constexpr Instant from_ns(std::int64_t ns) noexcept {
    Instant i;
    i.ns_ = ns;
    return i;
  }
  // Nanoseconds since the monotonic clock's origin.
  constexpr std::int64_t ns() const noexcept { return ns_; }

  friend constexpr auto operator<=>(Instant, Instant) noexcept = default;
  // Saturates at kNever, so that "never plus a second" stays never.
  friend constexpr Instant operator+(Instant a, Duration d) noexcept {
    constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
    if (a.ns_ == kMax || (d.count() > 0 && a.ns_ > kMax - d.count())) return from_ns(kMax);
    return from_ns(a.ns_ + d.count());
  }
  friend constexpr Instant operator-(Instant a, Duration d) noexcept { return from_ns(a.ns_ - d.count()); }
  friend constexpr Duration operator-(Instant a, Instant b) noexcept { return Duration{a.ns_ - b.ns_}; }

 private:
  std::int64_t ns_ = 0;
};

// "No timer is pending": later than every Instant.
inline constexpr Instant kNever = Instant::from_ns(std::numeric_limits<std::int64_t>::max());

// Milliseconds since 1970-01-01T00:00:00Z.
struct UnixMs {
  std::int64_t ms = 0;
  friend constexpr auto operator<=>(UnixMs, UnixMs) noexcept = default;
};

// What the calendar says at an instant, when it said `unix_ms_at_origin` at the monotonic clock's origin.
constexpr UnixMs on_calendar(Instant at, std::int64_t unix_ms_at_origin) noexcept {
  return UnixMs{unix_ms_at_origin + at.ns() / 1'000'000};
}

// One moment on both clocks.
struct Now {
  Instant instant;
  UnixMs calendar;
};

constexpr std::int64_t to_ms(Duration d) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

}  // namespace compositord
