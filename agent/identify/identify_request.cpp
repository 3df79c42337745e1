#include "agent/identify/identify_request.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "common/base/log_event.h"
#include "common/msg/fields.h"

namespace compositord::agent {

namespace {

struct Params {
  std::string id;
  std::optional<std::int64_t> seconds;
  std::optional<std::string> text;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v.optional("id", m.id);
    v("seconds", m.seconds);
    v("text", m.text);
  }
};

bool is_one_line(const std::string& text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
}

}  // namespace

Result<IdentifyRequest> parse_identify_request(const msg::Value& params) {
  auto parsed = msg::from_value<Params>(params);
  if (!parsed) return tl::unexpected(parsed.error());
  for (const auto& [key, value] : *params.if_map()) {
    if (key == "id" || key == "seconds" || key == "text") continue;
    return fail(Status::kMalformed,
                fmt::format("{}: identify has no such parameter (seconds, text)", escape_for_log(key, 64)));
  }
  const std::int64_t seconds = parsed->seconds.value_or(IdentifyRequest{}.seconds);
  if (seconds < 1 || seconds > IdentifyRequest::kSecondsMax) {
    return fail(Status::kMalformed,
                fmt::format("seconds: {} is out of range 1…{}", seconds, IdentifyRequest::kSecondsMax));
  }
  const std::string text = parsed->text.value_or("");
  if (text.size() > IdentifyRequest::kTextBytesMax || !is_one_line(text)) {
    return fail(Status::kMalformed,
                fmt::format("text: one line of at most {} bytes expected", IdentifyRequest::kTextBytesMax));
  }
  return IdentifyRequest{std::move(parsed->id), static_cast<int>(seconds), text};
}

msg::Value identify_result(const IdentifyRequest& request, std::vector<std::string> outputs) {
  std::sort(outputs.begin(), outputs.end());
  msg::Value list = msg::Value::array();
  for (std::string& output : outputs) list.push(std::move(output));
  return msg::Value::map({{"outputs", std::move(list)}, {"seconds", request.seconds}});
}

}  // namespace compositord::agent
