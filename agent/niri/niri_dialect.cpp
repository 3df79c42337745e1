#include "agent/niri/niri_dialect.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "agent/ipc/json_fields.h"
#include "common/base/log_event.h"

namespace compositord::agent::niri {

namespace {

using msg::Value;

// In the order of wl_output.transform. niri turns counter-clockwise, as wl_output does.
constexpr std::array<std::string_view, 8> kTransforms{"Normal",  "90",        "180",        "270",
                                                      "Flipped", "Flipped90", "Flipped180", "Flipped270"};

// What is in {"Ok":…}. Errors: kFailed with niri's words for {"Err":…}, kMalformed for anything else.
Result<Value> ok_of(std::string_view payload) {
  auto reply = msg::decode_json(payload);
  if (!reply) return tl::unexpected(reply.error());
  if (const Value* ok = reply->find("Ok")) return *ok;
  if (reply->find("Err") != nullptr) return fail(Status::kFailed, text_field(*reply, "Err"));
  return fail(Status::kMalformed, "niri's reply has neither \"Ok\" nor \"Err\"");
}

// The same for one kind of answer.
Result<Value> answer_of(std::string_view payload, std::string_view kind) {
  auto ok = ok_of(payload);
  if (!ok) return ok;
  if (const Value* answer = ok->find(kind)) return *answer;
  return fail(Status::kMalformed, fmt::format("niri's reply has no \"{}\"", kind));
}

// niri's versions are a year and a month, before 2025 "0.1.9" and the like. What can't be read is taken for new.
bool is_older(std::string_view version, int year, int month) {
  int parts[2] = {0, 0};
  const char* at = version.data();
  const char* end = version.data() + version.size();
  for (int& part : parts) {
    const auto [next, error] = std::from_chars(at, end, part);
    if (error != std::errc()) return false;
    at = next != end && *next == '.' ? next + 1 : next;
  }
  return parts[0] < year || (parts[0] == year && parts[1] < month);
}

msg::Transform transform_of(std::string_view name) {
  const auto found = std::find(kTransforms.begin(), kTransforms.end(), name);
  return static_cast<msg::Transform>(found == kTransforms.end() ? 0 : found - kTransforms.begin());
}

msg::Mode mode_of(const Value& map) {
  return msg::Mode{integer_field<std::uint32_t>(map, "width"), integer_field<std::uint32_t>(map, "height"),
                   integer_field<std::uint32_t>(map, "refresh_rate"), flag_field(map, "is_preferred", false)};
}

void read_modes(const Value& map, msg::Output& o) {
  const Value::Array* list = array_field(map, "modes");
  for (std::size_t i = 0; list != nullptr && i < std::min(list->size(), kIpcModesMax); ++i) {
    o.modes.push_back(mode_of((*list)[i]));
  }
  const auto current = integer_field<std::int64_t>(map, "current_mode", -1);
  if (current >= 0 && static_cast<std::size_t>(current) < o.modes.size()) {
    o.current_mode = o.modes[static_cast<std::size_t>(current)];
  }
}

KnownOutput output_of(const Value& map) {
  KnownOutput known;
  msg::Output& o = known.output;
  o.name = text_field(map, "name");
  o.make = text_field(map, "make");
  o.model = text_field(map, "model");
  o.serial = text_field(map, "serial");
  read_modes(map, o);
  if (const Value::Array* size = array_field(map, "physical_size"); size != nullptr && size->size() == 2) {
    const Value mm = Value::map({{"width", (*size)[0]}, {"height", (*size)[1]}});
    o.width_mm = integer_field<std::uint32_t>(mm, "width");
    o.height_mm = integer_field<std::uint32_t>(mm, "height");
  }
  const Value* logical = map.find("logical");
  known.active = logical != nullptr && logical->is_map();
  if (!known.active) {
    o.current_mode.reset();
    return known;
  }
  o.x = integer_field<std::int32_t>(*logical, "x");
  o.y = integer_field<std::int32_t>(*logical, "y");
  o.scale = number_field(*logical, "scale", 1.0);
  o.transform = transform_of(text_field(*logical, "transform"));
  return known;
}

// {"Scale":{"scale":{"Specific":1.5}}}
Value specific(std::string_view action, std::string_view field, Value value) {
  Value choice = Value::map();
  choice.set(field, Value::map({{"Specific", std::move(value)}}));
  Value whole = Value::map();
  whole.set(action, std::move(choice));
  return whole;
}

Value action_of(const OutputCommand& command) {
  switch (command.method) {
    case OutputMethod::kMode: {
      Value refresh;
      if (command.refresh_mhz) refresh = Value(*command.refresh_mhz / 1000.0);
      return specific("Mode", "mode",
                      Value::map({{"width", command.width_px}, {"height", command.height_px}, {"refresh", refresh}}));
    }
    case OutputMethod::kScale: return specific("Scale", "scale", Value(command.scale));
    case OutputMethod::kPosition:
      return specific("Position", "position", Value::map({{"x", command.x}, {"y", command.y}}));
    case OutputMethod::kTransform: {
      const auto index = static_cast<std::size_t>(command.transform);
      return Value::map({{"Transform", Value::map({{"transform", kTransforms[index]}})}});
    }
    case OutputMethod::kEnable: return Value("On");
    case OutputMethod::kDisable: return Value("Off");
    case OutputMethod::kPower: break;  // never asked for, see obstacle()
  }
  return {};
}

}  // namespace

std::string NiriDialect::request(IpcQuestion question) const {
  switch (question) {
    case IpcQuestion::kVersion: return "\"Version\"\n";
    case IpcQuestion::kOutputs: return "\"Outputs\"\n";
    case IpcQuestion::kInputs:
    case IpcQuestion::kCommand:
    case IpcQuestion::kReload: break;
  }
  return {};
}

std::string NiriDialect::change(const OutputCommand& command, const KnownOutput&) const {
  const Value request =
      Value::map({{"Output", Value::map({{"output", command.output}, {"action", action_of(command)}})}});
  return msg::encode_json(request) + "\n";
}

Result<std::string> NiriDialect::parse_version(std::string_view payload) const {
  auto answer = ok_of(payload);
  if (!answer) return tl::unexpected(answer.error());
  std::string version = text_field(*answer, "Version");  // "25.11 (b35bcae)"
  if (version.empty()) return fail(Status::kMalformed, "niri's reply has no \"Version\"");
  return version.substr(0, version.find(' '));
}

Result<std::vector<KnownOutput>> NiriDialect::parse_outputs(std::string_view payload) const {
  auto answer = answer_of(payload, "Outputs");
  if (!answer) return tl::unexpected(answer.error());
  const Value::Map* map = answer->if_map();
  if (map == nullptr) return fail(Status::kMalformed, "niri's answer with its outputs is no object");
  std::vector<KnownOutput> outputs;
  for (const auto& [name, fields] : *map) {
    KnownOutput one = output_of(fields);
    if (!one.output.name.empty() && outputs.size() < kIpcOutputsMax) outputs.push_back(std::move(one));
  }
  return outputs;
}

Result<std::vector<msg::InputDevice>> NiriDialect::parse_inputs(std::string_view) const {
  return std::vector<msg::InputDevice>();
}

Result<std::string> NiriDialect::parse_refusal(std::string_view payload) const {
  const auto ok = ok_of(payload);
  if (!ok && ok.error().status == Status::kFailed) {
    return ok.error().text.empty() ? std::string("without a reason") : ok.error().text;
  }
  if (!ok) return tl::unexpected(ok.error());
  const std::string outcome = text_field(*ok, "OutputConfigChanged");
  if (outcome == "Applied") return std::string();
  if (outcome == "OutputWasMissing") return std::string("the output is not connected");
  return fail(Status::kMalformed, "niri's reply to a change has no \"OutputConfigChanged\"");
}

std::string NiriDialect::obstacle(OutputMethod method) const {
  if (method != OutputMethod::kPower) return {};
  return "niri puts all monitors to sleep or none; output.disable switches one off";
}

Result<IpcSession::Changes> NiriDialect::parse_event(std::string_view line) const {
  const auto event = msg::decode_json(line);
  if (!event) return tl::unexpected(event.error());
  if (!event->is_map()) return fail(Status::kMalformed, "niri sent an event that is no object");
  if (event->find("Err") != nullptr) {
    return fail(Status::kUnsupported, "niri refuses to send events: " + text_field(*event, "Err"));
  }
  // No event is about outputs, but workspaces move when outputs come, go and are switched off.
  const bool of_outputs = event->find("WorkspacesChanged") != nullptr || event->find("ConfigLoaded") != nullptr;
  const Value* loaded = event->find("ConfigLoaded");
  const bool failed = loaded != nullptr && flag_field(*loaded, "failed", false);
  return IpcSession::Changes{of_outputs, false, loaded != nullptr, failed};
}

std::string NiriDialect::reload_obstacle(std::string_view version) const {
  if (!is_older(version, 25, 8)) return {};
  return fmt::format("niri {} has no request for it, and reads its configuration again by itself when the file changes",
                     version);
}

Result<std::string> NiriDialect::parse_reload_refusal(std::string_view payload) const {
  const auto ok = ok_of(payload);
  if (ok) return std::string();
  if (ok.error().status != Status::kFailed) return tl::unexpected(ok.error());
  return ok.error().text.empty() ? std::string("without a reason") : ok.error().text;
}

}  // namespace compositord::agent::niri
