#pragma once
// The entries of `notify`: whom to tell, from YAML and back.

#include <string>
#include <vector>

#include "broker/config/diagnostics.h"
#include "broker/config/yaml_tree.h"
#include "broker/notify/notifier_config.h"

namespace compositord::broker {

// Reads the list. What is wrong is added to `found`; the result then means nothing.
std::vector<NotifierConfig> read_notifiers(const YamlNode& list, std::vector<Diagnostic>& found);

// One entry as YAML writes it, on one line; what has its default is left out.
std::string notifier_text(const NotifierConfig& config);

}  // namespace compositord::broker
