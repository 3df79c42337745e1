// Bytes -> value -> bytes -> the same value, for every codec of the bus. The first byte chooses the codec.

#include <string>
#include <utility>
#include <variant>

#include "common/base/check.h"
#include "common/base/log_event.h"
#include "common/msg/alert.h"
#include "common/msg/compositor_id.h"
#include "common/msg/envelope.h"
#include "common/msg/manifest.h"
#include "common/msg/registration.h"
#include "common/msg/status.h"
#include "common/wire/mdp_codec.h"
#include "tests/fuzz/byte_source.h"
#include "tests/fuzz/fuzz_target.h"

namespace compositord::fuzz {

namespace {

// What can be read as a message is written in a form that reads as the same message.
template <class Message>
void check_message(const msg::Value& value) {
  const Result<Message> message = msg::from_value<Message>(value);
  if (!message) return CHECK(!message.error().text.empty());
  const msg::Value written = to_value(*message);
  const Result<Message> again = msg::from_value<Message>(written);
  CHECK(again.has_value());
  CHECK(msg::encode_msgpack(to_value(*again)) == msg::encode_msgpack(written));
}

void check_messages(const msg::Value& value) {
  check_message<msg::Registration>(value);
  check_message<msg::Registered>(value);
  check_message<msg::StatusReport>(value);
  check_message<msg::Status>(value);
  check_message<msg::Manifest>(value);
  check_message<msg::Alert>(value);
  check_message<msg::RequestHeader>(value);
  check_message<msg::ReplyHeader>(value);
}

void check_msgpack(const std::string& bytes) {
  const Result<msg::Value> value = msg::decode_msgpack(bytes);
  if (!value) return CHECK(!value.error().text.empty());
  const std::string written = msg::encode_msgpack(*value);
  const Result<msg::Value> again = msg::decode_msgpack(written);
  // Bytes are compared, for a NaN is not equal to itself.
  CHECK(again.has_value() && msg::encode_msgpack(*again) == written);
  const Result<msg::Value> canonical = msg::decode_msgpack(msg::encode_canonical(*value));
  CHECK(canonical.has_value() && msg::encode_canonical(*canonical) == msg::encode_canonical(*value));
  CHECK(msg::decode_json(msg::encode_json(*value)).has_value());
  check_messages(*value);
}

void check_json(const std::string& text) {
  const Result<msg::Value> value = msg::decode_json(text);
  if (!value) return CHECK(!value.error().text.empty());
  const std::string written = msg::encode_json(*value);
  const Result<msg::Value> again = msg::decode_json(written);
  CHECK(again.has_value() && msg::encode_json(*again) == written && *again == *value);
  const Result<msg::Value> indented = msg::decode_json(msg::encode_json(*value, 2));
  CHECK(indented.has_value() && *indented == *value);
  const Result<msg::Value> packed = msg::decode_msgpack(msg::encode_msgpack(*value));
  // As bytes, for the library writes 1.0 as 1, so that a value has the same hash whichever way it came.
  CHECK(packed.has_value() && msg::encode_msgpack(*packed) == msg::encode_msgpack(*value));
  check_messages(*value);
}

template <class Message>
void check_serialized(wire::Parsed<Message>&& parsed, Result<wire::Parsed<Message>> (*parse)(wire::Frames&&)) {
  const wire::Dialect dialect = parsed.dialect;
  const auto write = [&](auto& m) { return wire::serialize(dialect, std::move(m)); };
  const wire::Frames written = std::visit(write, parsed.message);
  Result<wire::Parsed<Message>> again = parse(wire::Frames(written));
  CHECK(again.has_value() && again->dialect == dialect);
  CHECK(std::visit(write, again->message) == written);
}

void check_frames(wire::Frames frames) {
  if (auto parsed = wire::parse_at_broker(wire::Frames(frames))) {
    check_serialized<wire::ToBroker>(std::move(*parsed), &wire::parse_at_broker);
  }
  if (auto parsed = wire::parse_from_broker(std::move(frames))) {
    check_serialized<wire::FromBroker>(std::move(*parsed), &wire::parse_from_broker);
  }
}

void check_envelope(const wire::Frames& body) {
  if (const Result<msg::Call> call = msg::parse_call(body)) {
    CHECK(msg::parse_call_header(body).has_value() && msg::looks_like_call(body));
    const wire::Frames written = msg::serialize_call(*call);
    const Result<msg::Call> again = msg::parse_call(written);
    CHECK(again.has_value() && msg::serialize_call(*again) == written);
  }
  if (const Result<msg::Reply> reply = msg::parse_reply(body)) {
    const wire::Frames written = msg::serialize_reply(*reply);
    const Result<msg::Reply> again = msg::parse_reply(written);
    CHECK(again.has_value() && msg::serialize_reply(*again) == written);
  }
}

void check_text(const std::string& text) {
  if (const auto id = msg::parse_compositor_id(text)) CHECK(id->value() == text);
  const std::string line = to_text(LogEvent(Severity::kInfo, "a.b").with("k", text));
  for (const char c : line) CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

}  // namespace

}  // namespace compositord::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace compositord::fuzz;
  ByteSource in(data, size);
  switch (in.u8() % 5) {
    case 0: check_msgpack(in.rest()); break;
    case 1: check_json(in.rest()); break;
    case 2: check_frames(in.frames()); break;
    case 3: check_envelope(in.frames()); break;
    default: check_text(in.rest());
  }
  return 0;
}
