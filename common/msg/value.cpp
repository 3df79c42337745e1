#include "common/msg/value.h"

#include <algorithm>
#include <array>
#include <limits>

#include "common/base/check.h"

namespace compositord::msg {

Value::Value(std::uint64_t v) {
  if (v <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    data_ = static_cast<std::int64_t>(v);
  } else {
    data_ = v;
  }
}

const Value* Value::find(std::string_view key) const noexcept {
  const Map* map = if_map();
  if (map == nullptr) return nullptr;
  for (const auto& [k, v] : *map) {
    if (k == key) return &v;
  }
  return nullptr;
}

Value& Value::set(std::string_view key, Value value) {
  Map* map = if_map();
  CHECK(map != nullptr);
  for (auto& [k, v] : *map) {
    if (k == key) {
      v = std::move(value);
      return *this;
    }
  }
  map->emplace_back(std::string(key), std::move(value));
  return *this;
}

const std::string* find_duplicate_key(const Value::Map& map) {
  std::vector<const std::string*> keys;
  keys.reserve(map.size());
  for (const auto& entry : map) keys.push_back(&entry.first);
  std::sort(keys.begin(), keys.end(), [](const auto* a, const auto* b) { return *a < *b; });
  const auto twice =
      std::adjacent_find(keys.begin(), keys.end(), [](const auto* a, const auto* b) { return *a == *b; });
  return twice == keys.end() ? nullptr : *twice;
}

void Value::push(Value value) {
  Array* array = if_array();
  CHECK(array != nullptr);
  array->push_back(std::move(value));
}

std::string_view Value::kind_name() const noexcept {
  static constexpr std::array<std::string_view, 9> kNames{"null",   "boolean", "integer", "integer", "number",
                                                          "string", "binary",  "array",   "map"};
  return kNames[data_.index()];
}

bool operator==(const Value& a, const Value& b) {
  const Value::Map* left = a.if_map();
  const Value::Map* right = b.if_map();
  if (left == nullptr || right == nullptr) return a.data_ == b.data_;
  if (left->size() != right->size()) return false;
  for (const auto& [key, value] : *left) {
    const Value* other = b.find(key);
    if (other == nullptr || !(*other == value)) return false;
  }
  return true;
}

}  // namespace compositord::msg
