#pragma once
// The bytes around a trace's record: its length, the length inverted, a checksum, then the body. Source: trace_format.h.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/msg/value.h"

namespace compositord::broker {

std::uint64_t checksum_of(std::string_view body);
// Head and body of one record.
std::string whole_record(msg::Value::Array items);

}  // namespace compositord::broker
