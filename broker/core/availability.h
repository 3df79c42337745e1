#pragma once
// How much of a period a compositor and its outputs did well, from the changes of its status. A pure function.
// Source: schemas/PROTOCOL.md "History and availability".

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/history.h"

namespace compositord::broker {

// What a moment counts as.
enum class Standing : std::uint8_t { kOk, kDegraded, kDown, kUnknown, kPlanned, kMaintenance };
constexpr std::array<msg::EnumName<Standing>, 6> enum_names(Standing) {
  return {{{Standing::kOk, "ok"},
           {Standing::kDegraded, "degraded"},
           {Standing::kDown, "down"},
           {Standing::kUnknown, "unknown"},
           {Standing::kPlanned, "planned"},
           {Standing::kMaintenance, "maintenance"}}};
}

// Milliseconds of each standing; together they are the period.
struct TimeShares {
  std::array<std::int64_t, 6> ms{};
  std::int64_t of(Standing standing) const { return ms[static_cast<std::size_t>(standing)]; }
  void add(Standing standing, std::int64_t more) { ms[static_cast<std::size_t>(standing)] += more; }
  // Of what is known and was not planned, the part that was ok: 0 … 1. Nothing when nothing is known.
  std::optional<double> ok_share() const;
};

// A time in which it was neither ok, nor planned, nor in maintenance. What follows each other is one, but what nobody saw is
// one of its own.
struct Outage {
  UnixMs from;
  UnixMs until;                         // of one that goes on, the period's end
  bool began_before = false;            // … the period
  bool goes_on = false;                 // at the period's end
  Standing worst = Standing::kUnknown;  // down is worse than unknown, that is worse than degraded
  std::string layer;                    // that failed first
  std::string reason;
};

struct OutputShares {
  std::string name;
  TimeShares time;  // off and disconnected are kDown
};

struct Availability {
  UnixMs since;  // the period's, or the first that is known of it
  TimeShares time;
  std::vector<OutputShares> outputs;  // in the order of their names
  std::vector<Outage> outages;
};

// `changes`: of one compositor in their order, with the last one before `since` if there is one. `runs`: of the broker, in
// their order; `epoch` is the present one's, which is alive. While no broker ran, and in a new run until the first change that
// it saw, nothing is known. Nothing at all is known before the first change: then the period begins with that.
Availability availability_of(const std::vector<StatusChange>& changes, const std::vector<BrokerRun>& runs,
                             std::uint64_t epoch, UnixMs since, UnixMs until);

}  // namespace compositord::broker
