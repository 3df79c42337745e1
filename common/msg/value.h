#pragma once
// A tree of plain data: what MessagePack and JSON have in common, and the one form between bytes and the message structs.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/result.h"

namespace compositord::msg {

// MessagePack "bin"; in JSON a base64 string.
struct Binary {
  std::string bytes;
  friend bool operator==(const Binary&, const Binary&) = default;
};

class Value {
 public:
  using Array = std::vector<Value>;
  using Map = std::vector<std::pair<std::string, Value>>;  // in order of insertion; a key occurs once

  Value() = default;
  // Values are written as literals, so all of these convert.
  // NOLINTBEGIN(google-explicit-constructor)
  Value(std::nullptr_t) {}
  Value(bool v) : data_(v) {}
  Value(std::int32_t v) : data_(std::int64_t{v}) {}
  Value(std::uint32_t v) : data_(std::int64_t{v}) {}
  Value(std::int64_t v) : data_(v) {}
  Value(std::uint64_t v);  // an int64 where it fits, so that 5 == 5
  Value(double v) : data_(v) {}
  Value(std::string v) : data_(std::move(v)) {}
  Value(std::string_view v) : data_(std::string(v)) {}
  Value(const char* v) : data_(std::string(v)) {}
  Value(Binary v) : data_(std::move(v)) {}
  Value(Array v) : data_(std::move(v)) {}
  Value(Map v) : data_(std::move(v)) {}
  // NOLINTEND(google-explicit-constructor)

  // map({{"id", 7}, {"name", "sway"}})
  static Value map(std::initializer_list<std::pair<std::string, Value>> entries = {}) { return Value(Map(entries)); }
  static Value array(Array items = {}) { return Value(std::move(items)); }

  bool is_null() const noexcept { return std::holds_alternative<std::monostate>(data_); }
  bool is_map() const noexcept { return std::holds_alternative<Map>(data_); }
  bool is_array() const noexcept { return std::holds_alternative<Array>(data_); }
  bool is_string() const noexcept { return std::holds_alternative<std::string>(data_); }

  // Each returns nullptr when the value is of another kind.
  const bool* if_bool() const noexcept { return std::get_if<bool>(&data_); }
  const std::int64_t* if_int() const noexcept { return std::get_if<std::int64_t>(&data_); }
  const std::uint64_t* if_big_uint() const noexcept { return std::get_if<std::uint64_t>(&data_); }  // only > INT64_MAX
  const double* if_double() const noexcept { return std::get_if<double>(&data_); }
  const std::string* if_string() const noexcept { return std::get_if<std::string>(&data_); }
  const Binary* if_binary() const noexcept { return std::get_if<Binary>(&data_); }
  const Array* if_array() const noexcept { return std::get_if<Array>(&data_); }
  const Map* if_map() const noexcept { return std::get_if<Map>(&data_); }
  Array* if_array() noexcept { return std::get_if<Array>(&data_); }
  Map* if_map() noexcept { return std::get_if<Map>(&data_); }

  // The entry of a map, or nullptr when there is none or this is no map.
  const Value* find(std::string_view key) const noexcept;
  // Adds or replaces an entry. The value must be a map.
  Value& set(std::string_view key, Value value);
  // Appends to an array. The value must be an array.
  void push(Value value);

  std::string_view kind_name() const noexcept;  // "map", "string", … as error texts name it

  // Maps are equal when they have the same entries in any order.
  friend bool operator==(const Value& a, const Value& b);

 private:
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Binary, Array, Map> data_;
};

// Bounds on what a peer's bytes may become in memory: a decoder stops at the first one broken.
struct DecodeLimits {
  std::size_t depth_max = 32;
  std::size_t nodes_max = 262'144;  // about 10 MiB of Values at the very most
};

// Decoders search a map for each new key while it is smaller than this, and sort its keys once when it has become larger.
inline constexpr std::size_t kKeysSearchedMax = 64;
// A key that occurs more than once, or nullptr. O(n log n).
const std::string* find_duplicate_key(const Value::Map& map);

// MessagePack. decode takes one value that fills `bytes` to its end. Errors: kMalformed with the byte offset, kTooLarge
// when a limit is broken. Source: github.com/msgpack/msgpack/blob/master/spec.md. Extension types are refused, and strings
// that are no valid UTF-8.
Result<Value> decode_msgpack(std::string_view bytes, const DecodeLimits& limits = {});
// The same of what strangers wrote, for people and with a loss: a key that is no string becomes its JSON, NaN and the infinities
// their names, bytes and strings that are not UTF-8 {"hex": "ff00"}, extension types {"ext": 5, "hex": "ff00"}.
Result<Value> decode_msgpack_to_show(std::string_view bytes, const DecodeLimits& limits);
// Strings that are not UTF-8 get U+FFFD.
std::string encode_msgpack(const Value& value);
// The same with the keys of every map sorted by their bytes: equal values give equal bytes.
std::string encode_canonical(const Value& value);

// JSON (RFC 8259). Errors: kMalformed with line and column. Text that is no valid UTF-8 is refused.
Result<Value> decode_json(std::string_view text, const DecodeLimits& limits = {});
// indent < 0 writes one line. Strings that are not UTF-8 get U+FFFD, NaN and infinities become null.
std::string encode_json(const Value& value, int indent = -1);

}  // namespace compositord::msg
