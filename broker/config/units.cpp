#include "broker/config/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>

namespace compositord::broker {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Descending, for format().
constexpr std::array<Unit, 4> kTimes{{{"h", 3'600'000}, {"min", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 4> kSizes{{{"GiB", 1U << 30U}, {"MiB", 1U << 20U}, {"KiB", 1U << 10U}, {"B", 1}}};
constexpr std::string_view kTimeNames = "ms, s, min or h";
constexpr std::string_view kSizeNames = "B, KiB, MiB or GiB";

Result<std::uint64_t> parse(std::string_view text, const std::array<Unit, 4>& units, std::string_view names,
                            std::uint64_t max) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec == std::errc::invalid_argument || text.empty()) {
    return fail(Status::kMalformed, fmt::format("\"{}\" is not a whole number with a unit ({})", text, names));
  }
  if (parsed.ec != std::errc()) return fail(Status::kMalformed, fmt::format("\"{}\" is too large", text));
  std::string_view name(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  while (name.starts_with(' ')) name.remove_prefix(1);
  if (name.empty()) return fail(Status::kMalformed, fmt::format("\"{}\" needs a unit: {}", text, names));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    if (number > max / unit.factor) return fail(Status::kMalformed, fmt::format("\"{}\" is too large", text));
    return number * unit.factor;
  }
  return fail(Status::kMalformed, fmt::format("\"{}\" is not a whole number with a unit ({})", text, names));
}

std::string format(std::uint64_t number, const std::array<Unit, 4>& units) {
  for (const Unit& unit : units) {
    if (number != 0 && number % unit.factor == 0) return fmt::format("{}{}", number / unit.factor, unit.name);
  }
  return fmt::format("0{}", units.back().name);
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  constexpr std::uint64_t kMaxMs = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 1'000'000;
  const auto ms = parse(text, kTimes, kTimeNames, kMaxMs);
  if (!ms) return tl::unexpected<Error>(ms.error());
  return std::chrono::milliseconds(static_cast<std::int64_t>(*ms));
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  return parse(text, kSizes, kSizeNames, std::numeric_limits<std::uint64_t>::max());
}

std::string format_duration(Duration duration) { return format(static_cast<std::uint64_t>(to_ms(duration)), kTimes); }
std::string format_bytes(std::uint64_t bytes) { return format(bytes, kSizes); }

}  // namespace compositord::broker
