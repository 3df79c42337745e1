#pragma once
// What people write behind `req SERVICE`, as a call.

#include <optional>
#include <string>

#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::ctl {

struct RequestedCall {
  std::string method;
  msg::Value params = msg::Value::map();
  std::optional<msg::Value> id;
  std::optional<Duration> deadline;
  std::optional<std::string> idem;
  bool queue = false;
  std::optional<Duration> ttl;
  bool idempotent = false;
};

// `body` is a method, with `params` a JSON object or empty; or a whole call as JSON, in which v and id may be missing, with
// `params` empty. Errors: kMalformed, a sentence.
Result<RequestedCall> parse_requested_call(const std::string& body, const std::string& params);

}  // namespace compositord::ctl
