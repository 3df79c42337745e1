#include "common/msg/envelope.h"

#include <fmt/format.h>

namespace compositord::msg {

namespace {

constexpr DecodeLimits kHeaderLimits{4, 64};
constexpr std::size_t kIdemBytesMax = 128;
constexpr std::size_t kMethodBytesMax = 255;

bool is_msgpack_map(unsigned char first) { return (first >= 0x80 && first <= 0x8f) || first == 0xde || first == 0xdf; }

Result<RequestHeader> check_header(const Value& value) {
  Result<RequestHeader> header = from_value<RequestHeader>(value);
  if (!header) return fail(header.error().status, "header: " + header.error().text);
  if (header->v != 1) return fail(Status::kMalformed, fmt::format("header: v is {}, this bus speaks 1", header->v));
  const bool id_ok = header->id.if_int() != nullptr || header->id.if_big_uint() != nullptr || header->id.is_string();
  if (!id_ok) return fail(Status::kMalformed, "header: id must be an integer or a string");
  if (header->id.is_string() && header->id.if_string()->size() > 128) {
    return fail(Status::kMalformed, "header: id is longer than 128 bytes");
  }
  if (header->method.size() > kMethodBytesMax) {
    return fail(Status::kMalformed, fmt::format("header: method is longer than {} bytes", kMethodBytesMax));
  }
  for (const auto& [name, ms] : {std::pair("deadline_ms", header->deadline_ms), std::pair("ttl_ms", header->ttl_ms)}) {
    if (ms && *ms <= 0) {
      return fail(Status::kMalformed, fmt::format("header: {} is {}, it must be positive", name, *ms));
    }
  }
  if (header->idem && (header->idem->empty() || header->idem->size() > kIdemBytesMax)) {
    return fail(Status::kMalformed, fmt::format("header: idem has 1 … {} bytes", kIdemBytesMax));
  }
  return header;
}

// The map with which a body begins: the header frame, or the whole JSON text.
Result<Value> decode_first(const wire::Frames& body, Encoding encoding) {
  if (body.empty()) return fail(Status::kMalformed, "the body has no frames");
  if (encoding == Encoding::kJson) {
    if (body.size() > 1) return fail(Status::kMalformed, "a JSON call is one frame, this body has more");
    return decode_json(body[0]);
  }
  Result<Value> header = decode_msgpack(body[0], kHeaderLimits);
  if (!header) return fail(header.error().status, "header: " + header.error().text);
  return header;
}

// `key` is "params" or "result": where JSON keeps what MessagePack has in frame 1.
Result<Value> decode_second(const wire::Frames& body, Encoding encoding, const Value& first, std::string_view key) {
  Value value = Value::map();
  if (encoding == Encoding::kJson) {
    if (const Value* found = first.find(key); found != nullptr && !found->is_null()) value = *found;
  } else if (body.size() > 1) {
    Result<Value> decoded = decode_msgpack(body[1]);
    if (!decoded) return fail(decoded.error().status, fmt::format("{}: {}", key, decoded.error().text));
    value = std::move(*decoded);
  }
  if (!value.is_map())
    return fail(Status::kMalformed, fmt::format("{}: a map expected, got {}", key, value.kind_name()));
  return value;
}

wire::Frames attachments_of(const wire::Frames& body) {
  return body.size() > 2 ? wire::Frames(body.begin() + 2, body.end()) : wire::Frames{};
}

wire::Frames serialize(Encoding encoding, Value header, std::string_view key, const Value& payload,
                       const wire::Frames& attachments) {
  if (encoding == Encoding::kJson) {
    header.set(key, payload);
    return {encode_json(header)};
  }
  wire::Frames body{encode_msgpack(header), encode_msgpack(payload)};
  body.insert(body.end(), attachments.begin(), attachments.end());
  return body;
}

// In JSON the result is the last entry of the one object, so both objects are open at the end.
wire::Frames serialize_with_entry(const Reply& reply) {
  if (reply.encoding == Encoding::kMsgpack) {
    wire::Frames body{encode_msgpack(to_value(reply.header)),
                      msgpack_with(encode_msgpack(reply.result), *reply.encoded)};
    body.insert(body.end(), reply.attachments.begin(), reply.attachments.end());
    return body;
  }
  std::string text = encode_json(to_value(reply.header));
  text.pop_back();
  text += ",\"result\":" + json_with(encode_json(reply.result), *reply.encoded);
  return {text + '}'};
}

}  // namespace

bool looks_like_call(const wire::Frames& body) noexcept {
  if (body.empty() || body[0].empty()) return false;
  const auto first = static_cast<unsigned char>(body[0][0]);
  return (first == '{' && body.size() == 1) || is_msgpack_map(first);
}

Encoding encoding_of(const wire::Frames& body) noexcept {
  return !body.empty() && !body[0].empty() && body[0][0] == '{' ? Encoding::kJson : Encoding::kMsgpack;
}

Result<RequestHeader> parse_call_header(const wire::Frames& body) {
  const Result<Value> first = decode_first(body, encoding_of(body));
  if (!first) return tl::unexpected<Error>(first.error());
  return check_header(*first);
}

Result<Call> parse_call(const wire::Frames& body) {
  Call call;
  call.encoding = encoding_of(body);
  const Result<Value> first = decode_first(body, call.encoding);
  if (!first) return tl::unexpected<Error>(first.error());
  Result<RequestHeader> header = check_header(*first);
  if (!header) return tl::unexpected<Error>(header.error());
  call.header = std::move(*header);
  Result<Value> params = decode_second(body, call.encoding, *first, "params");
  if (!params) return tl::unexpected<Error>(params.error());
  call.params = std::move(*params);
  call.attachments = attachments_of(body);
  return call;
}

Result<Reply> parse_reply(const wire::Frames& body) {
  Reply reply;
  reply.encoding = encoding_of(body);
  const Result<Value> first = decode_first(body, reply.encoding);
  if (!first) return tl::unexpected<Error>(first.error());
  Result<ReplyHeader> header = from_value<ReplyHeader>(*first);
  if (!header) return fail(header.error().status, "header: " + header.error().text);
  reply.header = std::move(*header);
  Result<Value> result = decode_second(body, reply.encoding, *first, "result");
  if (!result) return tl::unexpected<Error>(result.error());
  reply.result = std::move(*result);
  reply.attachments = attachments_of(body);
  return reply;
}

wire::Frames serialize_call(const Call& call) {
  return serialize(call.encoding, to_value(call.header), "params", call.params, call.attachments);
}

wire::Frames serialize_reply(const Reply& reply) {
  if (reply.encoded) return serialize_with_entry(reply);
  return serialize(reply.encoding, to_value(reply.header), "result", reply.result, reply.attachments);
}

Reply error_reply(Encoding encoding, const Value& id, const Error& error) {
  Reply reply;
  reply.encoding = encoding;
  reply.header.id = id;
  reply.header.status = to_number(error.status);
  reply.header.error = error.text;
  return reply;
}

Reply ok_reply(const Call& call, Value result) {
  Reply reply;
  reply.encoding = call.encoding;
  reply.header.id = call.header.id;
  reply.result = std::move(result);
  return reply;
}

}  // namespace compositord::msg
