#include "agent/core/planned_dark.h"

namespace compositord::agent {

namespace {

bool is_false(const msg::Value& params, std::string_view key) {
  const msg::Value* value = params.find(key);
  const bool* flag = value == nullptr ? nullptr : value->if_bool();
  return flag != nullptr && !*flag;
}

void add_output(const msg::Value& params, std::vector<std::string>& outputs) {
  const msg::Value* output = params.find("output");
  if (output != nullptr && output->is_string()) outputs.push_back(*output->if_string());
}

}  // namespace

std::vector<std::string> outputs_to_darken(const std::string& method, const msg::Value& params) {
  std::vector<std::string> outputs;
  if (method == "output.disable" || (method == "output.power" && is_false(params, "on"))) {
    add_output(params, outputs);
  } else if (method == "output.configure") {
    const msg::Value* list = params.find("outputs");
    if (list == nullptr || list->if_array() == nullptr) return outputs;
    for (const msg::Value& one : *list->if_array()) {
      if (is_false(one, "enabled") || is_false(one, "on")) add_output(one, outputs);
    }
  }
  return outputs;
}

bool PlannedDark::seen(const std::string& output, msg::OutputState state, Instant now) {
  if (state != msg::OutputState::kOff && state != msg::OutputState::kDisconnected) {
    dark_.erase(output);
    return false;
  }
  const auto expected = expected_.find(output);
  if (expected != expected_.end()) {
    if (now <= expected->second) dark_.insert(output);
    expected_.erase(expected);
  }
  return dark_.contains(output);
}

}  // namespace compositord::agent
