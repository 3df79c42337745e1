#pragma once
// What a running broker takes of a configuration that was read again.

#include <string>
#include <vector>

#include "broker/config/config.h"

namespace compositord::broker {

struct ConfigUpdate {
  Config config;                     // what is in force from now on
  std::vector<std::string> applied;  // keys that differ and were taken: "alerts.repeat"
  std::vector<std::string> restart;  // keys that differ, and stay as they are until the broker is started anew
};

// Both must be valid. What is no key (the endpoints that were bound, the catalogue's entries) stays as it is in `running`.
ConfigUpdate update_config(const Config& running, const Config& wanted);

}  // namespace compositord::broker
