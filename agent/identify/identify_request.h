#pragma once
// The parameters of `identify`, which shows on each screen which one it is.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::agent {

inline constexpr std::string_view kIdentifyName = "identify";

struct IdentifyRequest {
  static constexpr int kSecondsMax = 60;
  static constexpr std::size_t kTextBytesMax = 128;

  std::string id;  // "wall-3/main"; the core adds it
  int seconds = 5;
  std::string text;  // below the rest; empty: none

  Duration duration() const noexcept { return std::chrono::seconds(seconds); }
};

// Source: schemas/messages/command-identify.json, and "id". Errors: kMalformed.
Result<IdentifyRequest> parse_identify_request(const msg::Value& params);

// The result: on which outputs it is shown, by name.
msg::Value identify_result(const IdentifyRequest& request, std::vector<std::string> outputs);

}  // namespace compositord::agent
