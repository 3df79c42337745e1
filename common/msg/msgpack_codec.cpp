// MessagePack <-> Value. The only file that includes msgpack.hpp.
//
// Decoding uses the library's visitor interface and builds Values directly. Its object interface would reserve what a
// length field claims (5 bytes can claim 2^28 elements) and needs 24 bytes of zone for each byte of input; the visitor
// allocates only for what has really arrived, and stops at our limits.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <msgpack.hpp>

#include "common/base/utf8.h"
#include "common/msg/value.h"

namespace compositord::msg {

namespace {

class Builder {  // the "visitor" of msgpack-c; each function answers whether to go on
 public:
  explicit Builder(const DecodeLimits& limits) : limits_(limits) {}

  bool visit_nil() { return add(Value()); }
  bool visit_boolean(bool v) { return add(Value(v)); }
  bool visit_positive_integer(std::uint64_t v) { return add(Value(v)); }
  bool visit_negative_integer(std::int64_t v) { return add(Value(v)); }
  bool visit_float32(float v) { return add(Value(static_cast<double>(v))); }
  bool visit_float64(double v) { return add(Value(v)); }
  bool visit_str(const char* v, std::uint32_t size) {
    const std::string_view text(v, size);
    // Most readers can't read a message with such a string at all: one peer's label would blind every subscriber.
    if (!is_utf8(text)) return refuse("a string is not UTF-8");
    return expects_key_ ? take_key(text) : add(Value(text));
  }
  bool visit_bin(const char* v, std::uint32_t size) { return add(Value(Binary{std::string(v, size)})); }
  bool visit_ext(const char*, std::uint32_t) { return refuse("extension types are not used on this bus"); }

  bool start_array(std::uint32_t) { return open(Value(Value::Array{})); }
  bool start_array_item() { return true; }
  bool end_array_item() { return true; }
  bool end_array() { return close(); }
  bool start_map(std::uint32_t) { return open(Value(Value::Map{})); }
  bool start_map_key() {
    expects_key_ = true;
    return true;
  }
  bool end_map_key() { return expects_key_ ? refuse("a map key is not a string") : true; }
  bool start_map_value() { return true; }
  bool end_map_value() { return true; }
  bool end_map() { return close(); }

  void parse_error(std::size_t, std::size_t error_offset) { broken_at(error_offset, "not MessagePack"); }
  void insufficient_bytes(std::size_t, std::size_t error_offset) { broken_at(error_offset, "cut short"); }
  bool referenced() const { return false; }
  void set_referenced(bool) {}

  bool complete() const { return error_.text.empty() && open_.empty() && has_root_; }
  Value take() { return std::move(root_); }
  const Error& error() const { return error_; }
  void broken_at(std::size_t offset, std::string_view what) {
    if (error_.text.empty()) error_ = Error{Status::kMalformed, fmt::format("MessagePack byte {}: {}", offset, what)};
  }

 protected:
  bool expects_key() const { return expects_key_; }
  bool refuse(std::string text, Status status = Status::kMalformed) {
    if (error_.text.empty()) error_ = Error{status, "MessagePack: " + std::move(text)};
    return false;
  }
  bool take_key(std::string_view key) {
    const Value::Map* map = open_.back().value.if_map();
    // A duplicate would be seen differently by different readers. A map too large to be searched for each key is checked
    // when it is whole.
    if (map->size() < kKeysSearchedMax && open_.back().value.find(key) != nullptr) return refuse_duplicate(key);
    key_ = key;
    expects_key_ = false;
    return true;
  }
  bool add(Value v) {
    if (!count()) return false;
    place(std::move(v));
    return true;
  }

 private:
  struct Level {
    Value value;
    std::string key;  // of `value` in its parent, when that is a map
  };

  bool refuse_duplicate(std::string_view key) {
    return refuse(fmt::format("the key \"{}\" occurs twice", key.substr(0, 64)));
  }
  bool count() {
    if (expects_key_) return refuse("a map key is not a string");
    if (++nodes_ > limits_.nodes_max) {
      return refuse(fmt::format("more than {} values", limits_.nodes_max), Status::kTooLarge);
    }
    return true;
  }
  bool open(Value empty) {
    if (!count()) return false;
    if (open_.size() >= limits_.depth_max) {
      return refuse(fmt::format("nested deeper than {}", limits_.depth_max), Status::kTooLarge);
    }
    open_.push_back(Level{std::move(empty), std::move(key_)});
    key_.clear();
    return true;
  }
  bool close() {
    Level done = std::move(open_.back());
    open_.pop_back();
    if (const Value::Map* map = done.value.if_map(); map != nullptr && map->size() > kKeysSearchedMax) {
      if (const std::string* key = find_duplicate_key(*map)) return refuse_duplicate(*key);
    }
    key_ = std::move(done.key);
    place(std::move(done.value));
    return true;
  }
  void place(Value v) {
    if (open_.empty()) {
      root_ = std::move(v);
      has_root_ = true;
      return;
    }
    Value& parent = open_.back().value;
    if (Value::Map* map = parent.if_map()) {
      map->emplace_back(std::move(key_), std::move(v));
      key_.clear();
    } else {
      parent.push(std::move(v));
    }
  }

  DecodeLimits limits_;
  std::vector<Level> open_;
  std::string key_;
  bool expects_key_ = false;
  bool has_root_ = false;
  std::size_t nodes_ = 0;
  Value root_;
  Error error_{Status::kMalformed, {}};
};

Value in_hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return Value::map({{"hex", std::move(hex)}});
}

// Nothing is refused for what it is, but in a key.
class ShowingBuilder : public Builder {
 public:
  using Builder::Builder;

  bool visit_nil() { return show(Value()); }
  bool visit_boolean(bool v) { return show(Value(v)); }
  bool visit_positive_integer(std::uint64_t v) { return show(Value(v)); }
  bool visit_negative_integer(std::int64_t v) { return show(Value(v)); }
  bool visit_float32(float v) { return visit_float64(static_cast<double>(v)); }
  bool visit_float64(double v) {
    if (std::isfinite(v)) return show(Value(v));
    return show(Value(std::isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity"));
  }
  bool visit_str(const char* v, std::uint32_t size) {
    const std::string_view text(v, size);
    return show(is_utf8(text) ? Value(text) : in_hex(text));
  }
  bool visit_bin(const char* v, std::uint32_t size) { return show(in_hex({v, size})); }
  bool visit_ext(const char* v, std::uint32_t size) {  // the first byte is its type
    if (size == 0) return refuse("an extension type is missing");
    Value shown = Value::map({{"ext", static_cast<std::int32_t>(static_cast<signed char>(*v))}});
    shown.set("hex", *in_hex({v + 1, size - 1}).find("hex"));
    return show(std::move(shown));
  }

 private:
  bool show(Value v) {
    if (!expects_key()) return add(std::move(v));
    const std::string* text = v.if_string();
    return take_key(text != nullptr ? *text : encode_json(v));
  }
};

using Packer = msgpack::packer<msgpack::sbuffer>;

void pack(Packer& packer, const Value& value, bool sorted);

void pack_text(Packer& packer, const std::string& text) {
  is_utf8(text) ? packer.pack(text) : packer.pack(to_utf8(text));
}

// The library writes a whole number as an integer, and for that converts also what no integer can hold: 2^64 is undefined
// behaviour. Such a number is written here as what it is, a float64.
void pack_number(Packer& packer, double number) {
  if (std::abs(number) < 0x1p63) return void(packer.pack(number));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof bits);
  std::array<char, 9> bytes{'\xcb'};
  for (std::size_t i = 8; i > 0; --i, bits >>= 8U) bytes[i] = static_cast<char>(bits & 0xffU);
  packer.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}

void pack_map(Packer& packer, const Value::Map& map, bool sorted) {
  packer.pack_map(static_cast<std::uint32_t>(map.size()));
  std::vector<const Value::Map::value_type*> entries;
  entries.reserve(map.size());
  for (const auto& entry : map) entries.push_back(&entry);
  if (sorted) {
    std::sort(entries.begin(), entries.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
  }
  for (const auto* entry : entries) {
    pack_text(packer, entry->first);
    pack(packer, entry->second, sorted);
  }
}

void pack(Packer& packer, const Value& value, bool sorted) {
  if (const bool* b = value.if_bool()) {
    packer.pack(*b);
  } else if (const std::int64_t* i = value.if_int()) {
    packer.pack(*i);
  } else if (const std::uint64_t* u = value.if_big_uint()) {
    packer.pack(*u);
  } else if (const double* d = value.if_double()) {
    pack_number(packer, *d);
  } else if (const std::string* s = value.if_string()) {
    pack_text(packer, *s);
  } else if (const Binary* bin = value.if_binary()) {
    packer.pack_bin(static_cast<std::uint32_t>(bin->bytes.size()));
    packer.pack_bin_body(bin->bytes.data(), static_cast<std::uint32_t>(bin->bytes.size()));
  } else if (const Value::Array* array = value.if_array()) {
    packer.pack_array(static_cast<std::uint32_t>(array->size()));
    for (const Value& item : *array) pack(packer, item, sorted);
  } else if (const Value::Map* map = value.if_map()) {
    pack_map(packer, *map, sorted);
  } else {
    packer.pack_nil();
  }
}

std::string encode(const Value& value, bool sorted) {
  msgpack::sbuffer buffer;
  Packer packer(buffer);
  pack(packer, value, sorted);
  return {buffer.data(), buffer.size()};
}

template <class Visitor>
Result<Value> decode_with(Visitor& builder, std::string_view bytes) {
  std::size_t offset = 0;
  try {
    msgpack::parse(bytes.data(), bytes.size(), offset, builder);
  } catch (const msgpack::unpack_error& e) {
    builder.broken_at(offset, e.what());
  }
  if (!builder.error().text.empty()) return tl::unexpected<Error>(builder.error());
  if (!builder.complete())
    return fail(Status::kMalformed, fmt::format("MessagePack: {} bytes hold no whole value", bytes.size()));
  if (offset != bytes.size()) {
    return fail(Status::kMalformed,
                fmt::format("MessagePack byte {}: {} bytes follow the value", offset, bytes.size() - offset));
  }
  return builder.take();
}

}  // namespace

Result<Value> decode_msgpack(std::string_view bytes, const DecodeLimits& limits) {
  Builder builder(limits);
  return decode_with(builder, bytes);
}

Result<Value> decode_msgpack_to_show(std::string_view bytes, const DecodeLimits& limits) {
  ShowingBuilder builder(limits);
  return decode_with(builder, bytes);
}

std::string encode_msgpack(const Value& value) { return encode(value, false); }

std::string encode_canonical(const Value& value) { return encode(value, true); }

}  // namespace compositord::msg
