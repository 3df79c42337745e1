#pragma once
// The entries of `alerts.rules`, from YAML.

#include <string_view>
#include <vector>

#include "broker/config/diagnostics.h"
#include "broker/config/yaml_tree.h"
#include "broker/core/alert_config.h"

namespace compositord::broker {

// Reads the list into `rules`; what is wrong comes back, and `rules` then means nothing.
std::vector<Diagnostic> read_alert_rules(std::string_view path, const YamlNode& list, std::vector<AlertRule>& rules);

}  // namespace compositord::broker
