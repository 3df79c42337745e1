#pragma once
// The statuses of the bus: three digits on the wire, one registry (schemas/ERRORS.md, checked by a test).

#include <array>
#include <cstdint>
#include <string_view>

namespace compositord {

enum class Status : std::uint16_t {
  kDone = 200,
  kQueued = 202,
  kPartly = 207,
  kNotModified = 304,
  kMalformed = 400,
  kUnauthenticated = 401,
  kForbidden = 403,
  kNotFound = 404,
  kTimeout = 408,
  kConflict = 409,
  kGone = 410,
  kTooLarge = 413,
  kLimit = 429,
  kFailed = 500,
  kUnsupported = 501,
  kNotConnected = 503,
  kDeadline = 504,
  kStore = 507,
};

struct StatusInfo {
  Status status;
  std::string_view name;     // stable, snake_case; what scripts may match
  std::string_view meaning;  // one line for people
};

inline constexpr std::size_t kStatusCount = 18;
// All statuses, ascending.
const std::array<StatusInfo, kStatusCount>& status_registry() noexcept;
// The registry's name, or "unknown".
std::string_view status_name(Status status) noexcept;

constexpr std::uint16_t to_number(Status status) noexcept { return static_cast<std::uint16_t>(status); }
// 207 is none: a script must notice that some targets did not do it.
constexpr bool is_success(Status status) noexcept {
  if (status == Status::kNotModified) return true;  // the caller has the answer already
  return to_number(status) >= 200 && to_number(status) < 300 && status != Status::kPartly;
}

}  // namespace compositord
