#pragma once
// Names of services that no plain worker may offer.

#include <array>
#include <optional>
#include <string_view>

namespace compositord::broker {

inline constexpr std::array<std::string_view, 8> kBusServices{"bus.agent", "bus.worker", "bus.manifest", "bus.status",
                                                              "bus.alert", "bus.group",  "bus.job",      "bus.admin"};
// Whether the broker itself answers it: one of these, of Majordomo's mmi.… that it knows, or of Titanic's.
bool is_answered_by_broker(std::string_view name) noexcept;

// "mmi.", "bus.", "titanic." or "compositor/", when the name begins with it.
std::optional<std::string_view> reserved_prefix_of(std::string_view service) noexcept;

}  // namespace compositord::broker
