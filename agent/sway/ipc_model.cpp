#include "agent/sway/ipc_model.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "common/base/log_event.h"
#include "common/msg/value.h"

namespace compositord::agent::sway {

namespace {

constexpr std::size_t kOutputsMax = 64;
constexpr std::size_t kModesMax = 256;
constexpr std::size_t kInputsMax = 256;

std::string text(const msg::Value& map, std::string_view key) {
  const msg::Value* value = map.find(key);
  const std::string* string = value == nullptr ? nullptr : value->if_string();
  return string == nullptr ? std::string() : escape_for_log(*string);
}

bool flag(const msg::Value& map, std::string_view key, bool otherwise) {
  const msg::Value* value = map.find(key);
  const bool* known = value == nullptr ? nullptr : value->if_bool();
  return known == nullptr ? otherwise : *known;
}

// A number of the answer, cut to what T can hold; `otherwise` when it isn't there.
template <class T>
T integer(const msg::Value& map, std::string_view key, T otherwise = 0) {
  const msg::Value* value = map.find(key);
  const std::int64_t* known = value == nullptr ? nullptr : value->if_int();
  if (known == nullptr) return otherwise;
  const auto low = std::int64_t{std::numeric_limits<T>::min()};
  const auto high = std::int64_t{std::numeric_limits<T>::max()};
  return static_cast<T>(std::clamp(*known, low, high));
}

double number(const msg::Value& map, std::string_view key, double otherwise) {
  const msg::Value* value = map.find(key);
  if (value == nullptr) return otherwise;
  if (const double* d = value->if_double()) return std::isfinite(*d) ? *d : otherwise;
  if (const std::int64_t* i = value->if_int()) return static_cast<double>(*i);
  return otherwise;
}

msg::Mode mode_of(const msg::Value& map) {
  return msg::Mode{integer<std::uint32_t>(map, "width"), integer<std::uint32_t>(map, "height"),
                   integer<std::uint32_t>(map, "refresh"), false};
}

KnownOutput output_of(const msg::Value& map) {
  KnownOutput o;
  o.output.name = text(map, "name");
  o.output.make = text(map, "make");
  o.output.model = text(map, "model");
  o.output.serial = text(map, "serial");
  o.active = flag(map, "active", false);
  // sway before 1.8 says "dpms", later ones "power" as well.
  o.powered = flag(map, "power", flag(map, "dpms", true));
  // sway writes its 32-bit numbers as doubles: 1.37 arrives as 1.3700000047683716.
  o.output.scale = std::round(number(map, "scale", 1.0) * 1e5) / 1e5;
  if (const auto transform = msg::enum_from_name<msg::Transform>(text(map, "transform"))) {
    o.output.transform = turn_around(*transform);
  }
  if (const msg::Value* rect = map.find("rect")) {
    o.output.x = integer<std::int32_t>(*rect, "x");
    o.output.y = integer<std::int32_t>(*rect, "y");
  }
  const msg::Value* current = map.find("current_mode");
  if (o.active && current != nullptr && current->is_map()) o.output.current_mode = mode_of(*current);
  const msg::Value* modes = map.find("modes");
  const msg::Value::Array* list = modes == nullptr ? nullptr : modes->if_array();
  for (std::size_t i = 0; list != nullptr && i < std::min(list->size(), kModesMax); ++i) {
    o.output.modes.push_back(mode_of((*list)[i]));
  }
  return o;
}

// The elements of an array of maps, at most `max`.
Result<msg::Value::Array> maps_of(std::string_view payload, std::size_t max, std::string_view what) {
  auto value = msg::decode_json(payload);
  if (!value) return tl::unexpected(value.error());
  msg::Value::Array* array = value->if_array();
  if (array == nullptr) return fail(Status::kMalformed, "sway's answer with its " + std::string(what) + " is no array");
  std::erase_if(*array, [](const msg::Value& item) { return !item.is_map(); });
  if (array->size() > max) array->resize(max);
  return std::move(*array);
}

}  // namespace

Result<std::string> parse_version(std::string_view payload) {
  auto value = msg::decode_json(payload);
  if (!value) return tl::unexpected(value.error());
  std::string version = text(*value, "human_readable");
  if (version.empty()) return fail(Status::kMalformed, "sway's version has no \"human_readable\"");
  return version;
}

std::string parse_config_file(std::string_view payload) {
  const auto value = msg::decode_json(payload);
  const msg::Value* file = value ? value->find("loaded_config_file_name") : nullptr;
  const std::string* path = file == nullptr ? nullptr : file->if_string();
  return path == nullptr ? std::string() : *path;
}

Result<std::vector<KnownOutput>> parse_outputs(std::string_view payload) {
  return maps_of(payload, kOutputsMax, "outputs").map([](const msg::Value::Array& maps) {
    std::vector<KnownOutput> outputs;
    for (const msg::Value& map : maps) {
      KnownOutput one = output_of(map);
      if (!one.output.name.empty()) outputs.push_back(std::move(one));
    }
    return outputs;
  });
}

Result<std::vector<msg::InputDevice>> parse_inputs(std::string_view payload) {
  return maps_of(payload, kInputsMax, "inputs").map([](const msg::Value::Array& maps) {
    std::vector<msg::InputDevice> inputs;
    for (const msg::Value& map : maps) inputs.push_back(msg::InputDevice{text(map, "identifier"), text(map, "type")});
    return inputs;
  });
}

Result<std::string> parse_command_errors(std::string_view payload) {
  return maps_of(payload, kOutputsMax, "results").map([](const msg::Value::Array& maps) {
    std::string errors;
    for (const msg::Value& map : maps) {
      if (flag(map, "success", false)) continue;
      const std::string error = text(map, "error");
      errors += (errors.empty() ? "" : "; ") + (error.empty() ? "refused without a reason" : error);
    }
    return errors;
  });
}

msg::Transform turn_around(msg::Transform transform) noexcept {
  // A quarter turn the one way is three quarters the other; half turns and the flipped ones alone don't change.
  switch (transform) {
    case msg::Transform::k90: return msg::Transform::k270;
    case msg::Transform::k270: return msg::Transform::k90;
    case msg::Transform::kFlipped90: return msg::Transform::kFlipped270;
    case msg::Transform::kFlipped270: return msg::Transform::kFlipped90;
    default: return transform;
  }
}

}  // namespace compositord::agent::sway
