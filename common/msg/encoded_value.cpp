#include "common/msg/encoded_value.h"

#include <utility>

#include "common/base/check.h"

namespace compositord::msg {

const std::string& EncodedValue::json() const {
  if (!json_) json_ = encode_json(decode());
  return *json_;
}

Value EncodedValue::decode() const {
  Result<Value> value = decode_msgpack(msgpack_);
  return value ? std::move(*value) : Value();
}

// Source: github.com/msgpack/msgpack/blob/master/spec.md, "fixmap": 1000xxxx, the count in the low bits.
std::string msgpack_with(std::string map, const EncodedEntry& entry) {
  const auto head = static_cast<unsigned char>(map.empty() ? '\0' : map[0]);
  CHECK(head >= 0x80 && head < 0x8f);
  map[0] = static_cast<char>(head + 1);
  map += encode_msgpack(Value(entry.key));
  return map += entry.value->msgpack();
}

std::string json_with(std::string map, const EncodedEntry& entry) {
  CHECK(map.size() >= 2 && map.back() == '}');
  map.pop_back();
  if (map.size() > 1) map += ',';
  map += encode_json(Value(entry.key)) + ':' + entry.value->json();
  return map += '}';
}

}  // namespace compositord::msg
