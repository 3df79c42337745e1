#pragma once
// The four facts of a compositor -> one verdict that names the first layer that failed. A pure function.
// Source: schemas/PROTOCOL.md "Verdict".

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/msg/alert.h"
#include "common/msg/status.h"

namespace compositord::broker {

// A layer that isn't right.
struct Fault {
  std::string layer;  // "link", "process", "progress", "output/<name>"
  msg::Verdict verdict = msg::Verdict::kDegraded;
  std::string text;
  msg::AlertKind kind = msg::AlertKind::kCompositorUnknown;
  bool planned = false;                               // an output that a command switched off
  std::optional<std::int32_t> code = std::nullopt;    // of a process that exited
  std::optional<std::int32_t> signal = std::nullopt;  // of one that was killed
  std::string advice = {};                            // where the kind's own is not enough
};

// All faults, the deepest layer first: link, process, progress, outputs. Empty: all is well.
// `reported`: the agent has reported since it registered. While it has not, or is gone, nothing is known of the other layers.
std::vector<Fault> find_faults(const msg::Status& status, bool reported);

// Sets verdict, layer, reason and summary of `status` from its faults; `since` is the caller's.
void apply_verdict(const std::vector<Fault>& faults, msg::Status& status);

msg::AlertSeverity severity_of(msg::Verdict verdict) noexcept;

}  // namespace compositord::broker
