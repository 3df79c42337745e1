#include "common/base/error_code.h"

namespace compositord {

const std::array<StatusInfo, kStatusCount>& status_registry() noexcept {
  static constexpr std::array<StatusInfo, kStatusCount> kRegistry{{
      {Status::kDone, "done", "the request was carried out"},
      {Status::kQueued, "queued", "accepted and stored; the result comes later under a job id"},
      {Status::kPartly, "partly", "a group call: some targets did not do it; the table says which and why"},
      {Status::kNotModified, "not_modified", "the caller has it already: what it named is still so"},
      {Status::kMalformed, "malformed", "the request could not be understood; the text says where"},
      {Status::kUnauthenticated, "unauthenticated", "the caller did not say who it is"},
      {Status::kForbidden, "forbidden", "the caller is known and may not do this"},
      {Status::kNotFound, "not_found", "no such compositor, service, method, output or thing"},
      {Status::kTimeout, "timeout", "the other side did not finish its part of the request in time"},
      {Status::kConflict, "conflict", "the request contradicts the present state"},
      {Status::kGone, "gone", "the agent died under the request, or the broker was stopped; its outcome is unknown"},
      {Status::kTooLarge, "too_large", "the request or a part of it is over a size limit"},
      {Status::kLimit, "limit", "a limit on count or bytes is reached; try again later"},
      {Status::kFailed, "failed", "it was tried and did not take effect; the result shows before and after"},
      {Status::kUnsupported, "unsupported", "this compositor can't do that, and why"},
      {Status::kNotConnected, "not_connected", "the target is known but not connected, or the broker is being stopped"},
      {Status::kDeadline, "deadline", "the request's deadline passed; its outcome is unknown"},
      {Status::kStore, "store", "the broker's store could not keep it; it is in memory only"},
  }};
  return kRegistry;
}

std::string_view status_name(Status status) noexcept {
  for (const StatusInfo& info : status_registry()) {
    if (info.status == status) return info.name;
  }
  return "unknown";
}

}  // namespace compositord
