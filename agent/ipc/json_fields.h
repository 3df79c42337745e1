#pragma once
// Fields of a compositor's JSON answer, whatever it put there: text made harmless, numbers cut to what the type can hold.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::agent {

inline constexpr std::size_t kIpcOutputsMax = 64;
inline constexpr std::size_t kIpcModesMax = 256;
inline constexpr std::size_t kIpcInputsMax = 256;

// Printable and bounded; empty when it isn't there or no text.
std::string text_field(const msg::Value& map, std::string_view key);
bool flag_field(const msg::Value& map, std::string_view key, bool otherwise);
// An integer as such; `otherwise` for what is none or not finite.
double number_field(const msg::Value& map, std::string_view key, double otherwise);
template <class T>
T integer_field(const msg::Value& map, std::string_view key, T otherwise = 0) {
  const msg::Value* value = map.find(key);
  const std::int64_t* known = value == nullptr ? nullptr : value->if_int();
  if (known == nullptr) return otherwise;
  const auto low = std::int64_t{std::numeric_limits<T>::min()};
  const auto high = std::int64_t{std::numeric_limits<T>::max()};
  return static_cast<T>(std::clamp(*known, low, high));
}
// The field as an array, or nullptr.
const msg::Value::Array* array_field(const msg::Value& map, std::string_view key);

// The elements of an array of maps, at most `max`. `what`: the sentence's subject, "sway's answer with its outputs".
// Errors: as decode_json(), kMalformed when it is no array.
Result<msg::Value::Array> maps_of(std::string_view payload, std::size_t max, std::string_view what);

}  // namespace compositord::agent
