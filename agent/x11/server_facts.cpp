#include "agent/x11/server_facts.h"

#include <fmt/format.h>

namespace compositord::agent::x11 {

std::string server_version(std::string_view vendor, std::uint32_t release) {
  if (vendor.find("X.Org") == std::string_view::npos) return std::to_string(release);
  const std::uint32_t major = release / 10'000'000;
  const std::uint32_t minor = release / 100'000 % 100;
  const std::uint32_t patch = release / 1'000 % 100;
  const std::uint32_t snapshot = release % 1'000;
  // Since 21.1 the year leads, and a 1 stands before it only in this number.
  if (major == 1 && minor > 20) return fmt::format("{}.{}.{}", minor, patch, snapshot);
  if (snapshot == 0) return fmt::format("{}.{}.{}", major, minor, patch);
  return fmt::format("{}.{}.{}.{}", major, minor, patch, snapshot);
}

}  // namespace compositord::agent::x11
