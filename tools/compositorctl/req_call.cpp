#include "tools/compositorctl/req_call.h"

#include <fmt/format.h>

#include "common/base/log_event.h"
#include "common/msg/envelope.h"

namespace compositord::ctl {

namespace {

Result<msg::Value> read_object(const std::string& what, const std::string& text) {
  Result<msg::Value> value = msg::decode_json(text);
  if (!value) return fail(Status::kMalformed, fmt::format("{}: {}", what, value.error().text));
  if (!value->is_map())
    return fail(Status::kMalformed, fmt::format("{}: an object expected, got {}", what, value->kind_name()));
  return value;
}

}  // namespace

Result<RequestedCall> parse_requested_call(const std::string& body, const std::string& params) {
  RequestedCall call;
  if (!body.starts_with('{')) {
    call.method = body;
    if (params.empty()) return call;
    Result<msg::Value> object = read_object("the parameters", params);
    if (!object) return tl::unexpected<Error>(object.error());
    call.params = std::move(*object);
    return call;
  }
  if (!params.empty()) return fail(Status::kMalformed, "a call as JSON has its parameters in it: one word too many");
  Result<msg::Value> object = read_object("the call", body);
  if (!object) return tl::unexpected<Error>(object.error());
  if (object->find("v") == nullptr) object->set("v", 1);
  const bool own_id = object->find("id") != nullptr;
  if (!own_id) object->set("id", 1);
  // The broker's own reader, so that what it would refuse is refused here, with the same words.
  Result<msg::Call> parsed = msg::parse_call({msg::encode_json(*object)});
  if (!parsed) return fail(Status::kMalformed, "the call: " + parsed.error().text);
  call.method = std::move(parsed->header.method);
  call.params = std::move(parsed->params);
  if (own_id) call.id = parsed->header.id;
  if (parsed->header.deadline_ms) call.deadline = std::chrono::milliseconds(*parsed->header.deadline_ms);
  call.idem = parsed->header.idem;
  call.queue = parsed->header.queue.value_or(false);
  if (parsed->header.ttl_ms) call.ttl = std::chrono::milliseconds(*parsed->header.ttl_ms);
  call.idempotent = parsed->header.idempotent.value_or(false);
  return call;
}

}  // namespace compositord::ctl
