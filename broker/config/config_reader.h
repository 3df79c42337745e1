#pragma once
// From the YAML tree to a Config, by the table of keys.

#include <vector>

#include "broker/config/config.h"
#include "broker/config/diagnostics.h"
#include "broker/config/yaml_tree.h"

namespace compositord::broker {

// Overwrites in `config` what the tree sets. Gives everything that is wrong, in any order; empty is success.
std::vector<Diagnostic> read_config(const YamlNode& root, Config& config);

}  // namespace compositord::broker
