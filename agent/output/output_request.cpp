#include "agent/output/output_request.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent {

namespace {

// The single commands that an entry of output.configure is made of, and the parameters that belong to each.
struct Group {
  std::string_view method;
  std::array<std::string_view, 3> keys;
};
constexpr std::array<Group, 4> kGroups{{{"output.mode", {"width_px", "height_px", "refresh_mhz"}},
                                        {"output.scale", {"scale"}},
                                        {"output.position", {"x", "y"}},
                                        {"output.transform", {"transform"}}}};

bool is_known(std::string_view key) {
  if (key == "output" || key == "enabled") return true;
  return !key.empty() && std::any_of(kGroups.begin(), kGroups.end(), [&](const Group& group) {
    return std::find(group.keys.begin(), group.keys.end(), key) != group.keys.end();
  });
}

// Of `entry`, what `group` takes; with the output's name.
msg::Value params_of(const Group& group, const msg::Value& entry) {
  msg::Value params = msg::Value::map();
  for (const std::string_view key : group.keys) {
    const msg::Value* value = key.empty() ? nullptr : entry.find(key);
    if (value != nullptr && !value->is_null()) params.set(key, *value);
  }
  return params;
}

Result<void> add_wish(std::string_view method, msg::Value params, const msg::Value& name, OutputRequest& request) {
  params.set("output", name);
  auto wish = parse_output_command(std::string(method), params);
  if (!wish) return tl::unexpected(wish.error());
  request.wishes.push_back(std::move(*wish));
  return {};
}

Result<void> add_entry(const msg::Value& entry, OutputRequest& request) {
  const msg::Value::Map* map = entry.if_map();
  if (map == nullptr)
    return fail(Status::kMalformed, fmt::format("a {} where an output's map belongs", entry.kind_name()));
  for (const auto& [key, value] : *map) {
    if (!is_known(key)) {
      return fail(
          Status::kMalformed,
          fmt::format("{}: {} has no such parameter (output, enabled, width_px, height_px, refresh_mhz, scale, x, y, "
                      "transform)",
                      escape_for_log(key, 64), kConfigureName));
    }
  }
  const msg::Value* name = entry.find("output");
  if (name == nullptr) return fail(Status::kMalformed, "output: missing");
  const auto same = [&](const OutputCommand& wish) { return name->is_string() && wish.output == *name->if_string(); };
  if (std::any_of(request.wishes.begin(), request.wishes.end(), same)) {
    return fail(Status::kMalformed, fmt::format("output: {} is in the list already", *name->if_string()));
  }
  const std::size_t before = request.wishes.size();
  const msg::Value* enabled = entry.find("enabled");
  const bool is_said = enabled != nullptr && !enabled->is_null();
  if (is_said && enabled->if_bool() == nullptr) return fail(Status::kMalformed, "enabled: true or false expected");
  if (is_said) {
    auto added = add_wish(*enabled->if_bool() ? "output.enable" : "output.disable", msg::Value::map(), *name, request);
    if (!added) return added;
  }
  for (const Group& group : kGroups) {
    msg::Value params = params_of(group, entry);
    if (params.if_map()->empty()) continue;
    if (is_said && !*enabled->if_bool()) {
      return fail(Status::kMalformed, "enabled: an output that is switched off takes nothing else");
    }
    auto added = add_wish(group.method, std::move(params), *name, request);
    if (!added) return added;
  }
  if (request.wishes.size() == before) return fail(Status::kMalformed, "nothing is asked of this output");
  return {};
}

Result<OutputRequest> parse_configure(const msg::Value& params) {
  const msg::Value* list = params.find("outputs");
  const msg::Value::Array* entries = list == nullptr ? nullptr : list->if_array();
  if (entries == nullptr || entries->empty() || entries->size() > kConfiguredOutputsMax) {
    return fail(Status::kMalformed, fmt::format("outputs: a list of 1 to {} outputs expected", kConfiguredOutputsMax));
  }
  for (const auto& [key, value] : *params.if_map()) {
    if (key == "outputs") continue;
    return fail(Status::kMalformed,
                fmt::format("{}: {} has no such parameter (outputs)", escape_for_log(key, 64), kConfigureName));
  }
  OutputRequest request;
  request.several = true;
  for (std::size_t i = 0; i < entries->size(); ++i) {
    const auto added = add_entry((*entries)[i], request);
    if (!added) return fail(added.error().status, fmt::format("outputs[{}].{}", i, added.error().text));
  }
  return request;
}

// What an output that isn't there yet is called meanwhile.
constexpr std::string_view kNotYetNamed = "new";

Result<OutputRequest> parse_add(const msg::Value& params) {
  const msg::Value::Map* map = params.if_map();
  if (map == nullptr) return fail(Status::kMalformed, "a map of parameters expected");
  for (const auto& [key, value] : *map) {
    const bool takes = key != "output" && key != "enabled" && key != "transform" && is_known(key);
    if (takes) continue;
    return fail(Status::kMalformed,
                fmt::format("{}: {} has no such parameter (width_px, height_px, refresh_mhz, scale, x, y)",
                            escape_for_log(key, 64), kAddName));
  }
  OutputRequest request;
  request.adds = true;
  for (const Group& group : kGroups) {
    msg::Value one = params_of(group, params);
    if (one.if_map()->empty()) continue;
    auto added = add_wish(group.method, std::move(one), kNotYetNamed, request);
    if (!added) return tl::unexpected(added.error());
  }
  return request;
}

const KnownOutput* find_named(const std::vector<KnownOutput>& outputs, const std::string& name) {
  const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const auto& o) { return o.output.name == name; });
  return found == outputs.end() ? nullptr : &*found;
}

}  // namespace

Result<OutputRequest> parse_output_request(const std::string& method, const msg::Value& params) {
  if (method == kConfigureName) return parse_configure(params);
  if (method == kAddName) return parse_add(params);
  auto wish = parse_output_command(method, params);
  if (!wish) return tl::unexpected(wish.error());
  OutputRequest request;
  request.wishes.push_back(std::move(*wish));
  return request;
}

void OutputRequest::set_added(const std::string& name) {
  added = name;
  for (OutputCommand& wish : wishes) wish.output = name;
}

Result<std::vector<KnownOutput>> find_outputs(const OutputRequest& request, const std::vector<KnownOutput>& outputs,
                                              std::string_view compositor) {
  std::vector<KnownOutput> found;
  for (const OutputCommand& wish : request.wishes) {
    auto output = find_output(wish, outputs, compositor);
    if (!output) return tl::unexpected(output.error());
    if (find_named(found, wish.output) == nullptr) found.push_back(std::move(*output));
  }
  return found;
}

std::vector<KnownOutput> outputs_of(const OutputRequest& request, const std::vector<KnownOutput>& outputs) {
  std::vector<KnownOutput> there;
  const KnownOutput* added = request.adds ? find_named(outputs, request.added) : nullptr;
  if (added != nullptr) return {*added};
  for (const OutputCommand& wish : request.wishes) {
    const KnownOutput* output = find_named(outputs, wish.output);
    if (output != nullptr && find_named(there, wish.output) == nullptr) there.push_back(*output);
  }
  return there;
}

bool switches(const OutputRequest& request, const std::string& output) {
  return std::any_of(request.wishes.begin(), request.wishes.end(), [&](const OutputCommand& wish) {
    return wish.output == output && (wish.method == OutputMethod::kEnable || wish.method == OutputMethod::kDisable);
  });
}

bool shows(const OutputRequest& request, const std::vector<KnownOutput>& outputs) {
  return std::all_of(request.wishes.begin(), request.wishes.end(), [&](const OutputCommand& wish) {
    const KnownOutput* output = find_named(outputs, wish.output);
    return output != nullptr && shows(wish, *output);
  });
}

msg::Value request_fields(const OutputRequest& request, const std::vector<KnownOutput>& outputs) {
  msg::Value list = msg::Value::array();
  for (const KnownOutput& output : outputs) {
    msg::Value fields = output_fields(request.wishes.empty() ? OutputCommand{} : request.wishes.front(), output);
    if (!request.several) return fields;
    list.push(std::move(fields));
  }
  return request.several && !outputs.empty() ? list : msg::Value();
}

}  // namespace compositord::agent
