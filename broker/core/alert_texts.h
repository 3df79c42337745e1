#pragma once
// What an alert says to people beside its first sentence: what was seen, and what to try.

#include <string>
#include <string_view>

#include "broker/core/verdict.h"
#include "common/msg/alert.h"
#include "common/msg/status.h"

namespace compositord::broker {

// In the ids of alerts of the bus itself.
inline constexpr const char* kBusItself = "@bus";

// "agent" for the link, "compositor" for process and progress, "output/<name>": what of a compositor a layer is about.
std::string about_of_layer(std::string_view layer);
// The facts that stood behind the fault, in one line.
std::string seen_of(const msg::Status& status, const Fault& fault, UnixMs now);
// What to try, a sentence.
std::string_view advice_of(msg::AlertKind kind) noexcept;
// Of a fault of this kind when no rule says otherwise.
msg::AlertSeverity usual_severity(msg::AlertKind kind, msg::Verdict verdict) noexcept;

}  // namespace compositord::broker
