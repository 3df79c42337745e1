#include "broker/core/service_names.h"

#include <algorithm>

#include "common/msg/compositor_id.h"

namespace compositord::broker {

bool is_answered_by_broker(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 7> kOthers{"mmi.service",     "mmi.services",  "mmi.workers",  "mmi.echo",
                                                    "titanic.request", "titanic.reply", "titanic.close"};
  return std::find(kBusServices.begin(), kBusServices.end(), name) != kBusServices.end() ||
         std::find(kOthers.begin(), kOthers.end(), name) != kOthers.end();
}

std::optional<std::string_view> reserved_prefix_of(std::string_view service) noexcept {
  constexpr std::array<std::string_view, 4> kReserved{"mmi.", "bus.", "titanic.", msg::kCompositorServicePrefix};
  for (const std::string_view prefix : kReserved) {
    if (service.starts_with(prefix)) return prefix;
  }
  return std::nullopt;
}

}  // namespace compositord::broker
