// niri's socket, as docs.rs/niri-ipc and the wiki's page "IPC" describe it.

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "common/msg/value.h"
#include "tests/support/scripted/scripted_ipc.h"

namespace compositord::test {

namespace {

using msg::Value;

constexpr std::array<const char*, 8> kTransforms{"Normal",  "90",        "180",        "270",
                                                 "Flipped", "Flipped90", "Flipped180", "Flipped270"};

std::string output_json(const ScriptedOutput& o) {
  std::string modes;
  std::size_t current = 0;
  for (std::size_t i = 0; i < o.modes.size(); ++i) {
    const ScriptedMode& m = o.modes[i];
    if (m == o.mode) current = i;
    modes += fmt::format(R"({}{{"width":{},"height":{},"refresh_rate":{},"is_preferred":{}}})", i == 0 ? "" : ",",
                         m.width, m.height, m.refresh_mhz, i == 0);
  }
  const std::string logical =
      o.active ? fmt::format(R"({{"x":{},"y":{},"width":1,"height":1,"scale":{},"transform":"{}"}})", o.x, o.y, o.scale,
                             kTransforms.at(static_cast<std::size_t>(o.transform)))
               : "null";
  return fmt::format(R"("{0}":{{"name":"{0}","make":"ACME","model":"Wall","serial":null,"physical_size":[600,340],)"
                     R"("modes":[{1}],"current_mode":{2},"vrr_supported":false,"vrr_enabled":false,"logical":{3}}})",
                     o.name, modes, o.active ? std::to_string(current) : "null", logical);
}

int integer(const Value& map, std::string_view key) {
  const Value* found = map.find(key);
  return found != nullptr && found->if_int() != nullptr ? static_cast<int>(*found->if_int()) : 0;
}

double number(const Value& value) {
  if (const double* d = value.if_double()) return *d;
  return value.if_int() != nullptr ? static_cast<double>(*value.if_int()) : 0;
}

// The named part of {"Mode":{"mode":{"Specific":…}}}, or nullptr.
const Value* specific(const Value& action, std::string_view kind, std::string_view field) {
  const Value* found = action.find(kind);
  if (found != nullptr) found = found->find(field);
  return found == nullptr ? nullptr : found->find("Specific");
}

void set_mode(ScriptedOutput& o, const Value& wanted) {
  const Value* refresh = wanted.find("refresh");
  for (const ScriptedMode& m : o.modes) {
    if (m.width != integer(wanted, "width") || m.height != integer(wanted, "height")) continue;
    const bool fits = refresh == nullptr || refresh->is_null() || std::lround(number(*refresh) * 1000) == m.refresh_mhz;
    if (!fits) continue;
    o.mode = m;
    return;
  }
}

// False for what the documentation doesn't have.
bool apply(ScriptedOutput& o, const Value& action) {
  if (action == Value("On") || action == Value("Off")) {
    o.active = action == Value("On");
  } else if (const Value* mode = specific(action, "Mode", "mode")) {
    set_mode(o, *mode);
  } else if (const Value* scale = specific(action, "Scale", "scale")) {
    o.scale = number(*scale);
  } else if (const Value* place = specific(action, "Position", "position")) {
    o.x = integer(*place, "x");
    o.y = integer(*place, "y");
  } else if (const Value* turn = action.find("Transform")) {
    for (std::size_t i = 0; i < kTransforms.size(); ++i) {
      if (turn->find("transform") != nullptr && *turn->find("transform") == Value(kTransforms.at(i))) {
        o.transform = static_cast<int>(i);
        return true;
      }
    }
    return false;
  } else {
    return false;
  }
  return true;
}

constexpr const char* kNotUnderstood = "{\"Err\":\"error parsing request\"}\n";
constexpr const char* kWorkspaces = "{\"WorkspacesChanged\":{\"workspaces\":[]}}\n";

std::string ok(const std::string& json) { return "{\"Ok\":" + json + "}\n"; }

ScriptedIpc::Answer change_output(const Value& change, ScriptedOutputs& outputs) {
  const Value* name = change.find("output");
  const Value* action = change.find("action");
  if (name == nullptr || name->if_string() == nullptr || action == nullptr) return {kNotUnderstood};
  ScriptedOutput* output = find_scripted(outputs, *name->if_string());
  if (output == nullptr) return {ok("{\"OutputConfigChanged\":\"OutputWasMissing\"}"), true};
  if (!apply(*output, *action)) return {kNotUnderstood, true};
  return {ok("{\"OutputConfigChanged\":\"Applied\"}"), true};
}

class ScriptedNiri : public ScriptedIpc {
 public:
  bool is_request(std::string_view bytes) const override { return bytes.find('\n') != std::string_view::npos; }
  Answer answer(std::string_view request, ScriptedOutputs& outputs) const override {
    const auto value = msg::decode_json(request.substr(0, request.find('\n')));
    if (!value) return {kNotUnderstood};
    if (*value == Value("Version")) return {ok("{\"Version\":\"25.11 (b35bcae)\"}")};
    if (*value == Value("EventStream")) {
      return {ok("\"Handled\"") + kWorkspaces + "{\"WindowsChanged\":{\"windows\":[]}}\n" + reload_event(false), false,
              false, true};
    }
    if (*value == Value("Outputs")) {
      std::string list;
      for (const ScriptedOutput& o : outputs) list += (list.empty() ? "" : ",") + output_json(o);
      return {ok("{\"Outputs\":{" + list + "}}"), false, true};
    }
    if (value->find("Action") != nullptr && value->find("Action")->find("LoadConfigFile") != nullptr) {
      Answer done{ok("\"Handled\"")};
      done.of_reload = true;
      return done;
    }
    if (const Value* change = value->find("Output")) return change_output(*change, outputs);
    return {kNotUnderstood};
  }
  std::string refusal() const override { return "{\"Err\":\"the output is in use\"}\n"; }
  std::string hotplug_event(const std::string&, bool) const override { return kWorkspaces; }
  std::string reload_event(bool failed) const override {
    return fmt::format("{{\"ConfigLoaded\":{{\"failed\":{}}}}}\n", failed);
  }
  bool has_event_socket() const override { return false; }
};

}  // namespace

std::unique_ptr<ScriptedIpc> scripted_niri() { return std::make_unique<ScriptedNiri>(); }

}  // namespace compositord::test
