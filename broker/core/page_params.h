#pragma once
// What callers of lists may say: {after?: id, limit?: 1 … 500}. Lists come in pages, so that none is too large for a frame.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::broker {

inline constexpr std::size_t kPageMax = 500;

struct PageParams {
  std::string after;  // the id after which the page begins
  std::size_t limit = kPageMax;
};

// Errors: kMalformed.
Result<PageParams> read_page_params(const msg::Value& params);
// An optional string among the parameters; empty when it is missing. Errors: kMalformed.
Result<std::string> read_text(const msg::Value& params, std::string_view key);
// An optional time or length among them, in milliseconds and not negative. Errors: kMalformed.
Result<std::optional<std::int64_t>> read_ms(const msg::Value& params, std::string_view key);

}  // namespace compositord::broker
