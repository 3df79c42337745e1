#include "tools/compositorctl/req_call.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "common/base/log_event.h"
#include "common/msg/envelope.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

Result<msg::Value> read_object(const std::string& what, const std::string& text) {
  Result<msg::Value> value = msg::decode_json(text);
  if (!value) return fail(Status::kMalformed, fmt::format("{}: {}", what, value.error().text));
  if (!value->is_map())
    return fail(Status::kMalformed, fmt::format("{}: an object expected, got {}", what, value->kind_name()));
  return value;
}

// A call that is sent has no other fields: what was meant by one would be lost without a word.
std::string fault_of_fields(const msg::Value& call) {
  std::vector<std::string> known{"params"};
  const msg::RequestHeader header;
  const auto name = [&](std::string_view field, const auto&) { known.emplace_back(field); };
  msg::RequestHeader::fields(header, name);
  for (const auto& [field, value] : *call.if_map()) {
    if (std::find(known.begin(), known.end(), field) != known.end()) continue;
    const std::vector<std::string> near = nearest(field, known, 1);
    return fmt::format("it has no field \"{}\"{}", escape_for_log(field, 64),
                       near.empty() ? "" : fmt::format(": did you mean \"{}\"?", near.front()));
  }
  return {};
}

bool is_json(std::string_view body) {
  const std::size_t begin = body.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && body[begin] == '{';
}

}  // namespace

Result<RequestedCall> parse_requested_call(const std::string& body, const std::string& params) {
  RequestedCall call;
  if (!is_json(body)) {
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
  if (const std::string fault = fault_of_fields(*object); !fault.empty()) {
    return fail(Status::kMalformed, "the call: " + fault);
  }
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
