#include "broker/core/page_params.h"

#include <algorithm>

#include <fmt/format.h>

namespace compositord::broker {

Result<std::string> read_text(const msg::Value& params, std::string_view key) {
  const msg::Value* value = params.find(key);
  if (value == nullptr || value->is_null()) return std::string();
  if (!value->is_string()) return fail(Status::kMalformed, fmt::format("{}: a string expected", key));
  return *value->if_string();
}

Result<std::optional<std::int64_t>> read_ms(const msg::Value& params, std::string_view key) {
  const msg::Value* value = params.find(key);
  if (value == nullptr || value->is_null()) return std::optional<std::int64_t>();
  const std::int64_t* number = value->if_int();
  if (number == nullptr || *number < 0) return fail(Status::kMalformed, fmt::format("{}: milliseconds expected", key));
  return std::optional(*number);
}

Result<PageParams> read_page_params(const msg::Value& params) {
  PageParams page;
  Result<std::string> after = read_text(params, "after");
  if (!after) return tl::unexpected<Error>(after.error());
  page.after = std::move(*after);
  if (const msg::Value* value = params.find("limit"); value != nullptr && !value->is_null()) {
    const std::int64_t* n = value->if_int();
    if (n == nullptr || *n < 1) {
      return fail(Status::kMalformed, fmt::format("limit: an integer 1 … {} expected", kPageMax));
    }
    page.limit = std::min(kPageMax, static_cast<std::size_t>(*n));
  }
  return page;
}

}  // namespace compositord::broker
