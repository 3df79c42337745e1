#include "agent/ipc/json_fields.h"

#include <cmath>
#include <utility>

#include "common/base/log_event.h"

namespace compositord::agent {

std::string text_field(const msg::Value& map, std::string_view key) {
  const msg::Value* value = map.find(key);
  const std::string* string = value == nullptr ? nullptr : value->if_string();
  return string == nullptr ? std::string() : escape_for_log(*string);
}

bool flag_field(const msg::Value& map, std::string_view key, bool otherwise) {
  const msg::Value* value = map.find(key);
  const bool* known = value == nullptr ? nullptr : value->if_bool();
  return known == nullptr ? otherwise : *known;
}

double number_field(const msg::Value& map, std::string_view key, double otherwise) {
  const msg::Value* value = map.find(key);
  if (value == nullptr) return otherwise;
  if (const double* d = value->if_double()) return std::isfinite(*d) ? *d : otherwise;
  if (const std::int64_t* i = value->if_int()) return static_cast<double>(*i);
  return otherwise;
}

const msg::Value::Array* array_field(const msg::Value& map, std::string_view key) {
  const msg::Value* value = map.find(key);
  return value == nullptr ? nullptr : value->if_array();
}

Result<msg::Value::Array> maps_of(std::string_view payload, std::size_t max, std::string_view what) {
  auto value = msg::decode_json(payload);
  if (!value) return tl::unexpected(value.error());
  msg::Value::Array* array = value->if_array();
  if (array == nullptr) return fail(Status::kMalformed, std::string(what) + " is no array");
  std::erase_if(*array, [](const msg::Value& item) { return !item.is_map(); });
  if (array->size() > max) array->resize(max);
  return std::move(*array);
}

}  // namespace compositord::agent
