#pragma once
// The bytes around a trace's record: its length, the length inverted, a checksum, then the body. Source: trace_format.h.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace compositord::broker {

// Twice the largest message, unless somebody configures more; answers of the store have no bound of their own.
inline constexpr std::size_t kBodyBytesMax = 128U << 20U;

std::uint64_t checksum_of(std::string_view body);
// Head and body of one record. Errors: kTooLarge for a body of more than kBodyBytesMax.
Result<std::string> whole_record(std::string_view body);

}  // namespace compositord::broker
