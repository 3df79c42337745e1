#pragma once
// Durations and sizes as people write them: a whole number and a unit, "500ms", "64 MiB".

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::broker {

// ms, s, min, h. Errors: kMalformed, a sentence about `text`.
Result<Duration> parse_duration(std::string_view text);
// B, KiB, MiB, GiB.
Result<std::uint64_t> parse_bytes(std::string_view text);

// In the largest unit that leaves a whole number: "90s", "2min". Less than a millisecond is not shown.
std::string format_duration(Duration duration);
std::string format_bytes(std::uint64_t bytes);

}  // namespace compositord::broker
