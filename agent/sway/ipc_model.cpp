#include "agent/sway/ipc_model.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "agent/ipc/json_fields.h"
#include "common/msg/value.h"

namespace compositord::agent::sway {

namespace {

msg::Mode mode_of(const msg::Value& map) {
  return msg::Mode{integer_field<std::uint32_t>(map, "width"), integer_field<std::uint32_t>(map, "height"),
                   integer_field<std::uint32_t>(map, "refresh"), false};
}

KnownOutput output_of(const msg::Value& map) {
  KnownOutput o;
  o.output.name = text_field(map, "name");
  o.output.make = text_field(map, "make");
  o.output.model = text_field(map, "model");
  o.output.serial = text_field(map, "serial");
  o.active = flag_field(map, "active", false);
  // sway before 1.8 says "dpms", later ones "power" as well.
  o.powered = flag_field(map, "power", flag_field(map, "dpms", true));
  // sway writes its 32-bit numbers as doubles: 1.37 arrives as 1.3700000047683716.
  o.output.scale = std::round(number_field(map, "scale", 1.0) * 1e5) / 1e5;
  if (const auto transform = msg::enum_from_name<msg::Transform>(text_field(map, "transform"))) {
    o.output.transform = turn_around(*transform);
  }
  if (const msg::Value* rect = map.find("rect")) {
    o.output.x = integer_field<std::int32_t>(*rect, "x");
    o.output.y = integer_field<std::int32_t>(*rect, "y");
  }
  const msg::Value* current = map.find("current_mode");
  if (o.active && current != nullptr && current->is_map()) o.output.current_mode = mode_of(*current);
  const msg::Value::Array* list = array_field(map, "modes");
  for (std::size_t i = 0; list != nullptr && i < std::min(list->size(), kIpcModesMax); ++i) {
    o.output.modes.push_back(mode_of((*list)[i]));
  }
  return o;
}

}  // namespace

Result<std::string> parse_version(std::string_view payload) {
  auto value = msg::decode_json(payload);
  if (!value) return tl::unexpected(value.error());
  std::string version = text_field(*value, "human_readable");
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
  return maps_of(payload, kIpcOutputsMax, "sway's answer with its outputs").map([](const msg::Value::Array& maps) {
    std::vector<KnownOutput> outputs;
    for (const msg::Value& map : maps) {
      KnownOutput one = output_of(map);
      if (!one.output.name.empty()) outputs.push_back(std::move(one));
    }
    return outputs;
  });
}

Result<std::vector<msg::InputDevice>> parse_inputs(std::string_view payload) {
  return maps_of(payload, kIpcInputsMax, "sway's answer with its inputs").map([](const msg::Value::Array& maps) {
    std::vector<msg::InputDevice> inputs;
    for (const msg::Value& map : maps)
      inputs.push_back(msg::InputDevice{text_field(map, "identifier"), text_field(map, "type")});
    return inputs;
  });
}

Result<std::string> parse_command_errors(std::string_view payload) {
  return maps_of(payload, kIpcOutputsMax, "sway's answer with its results").map([](const msg::Value::Array& maps) {
    std::string errors;
    for (const msg::Value& map : maps) {
      if (flag_field(map, "success", false)) continue;
      const std::string error = text_field(map, "error");
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
