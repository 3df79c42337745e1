#include "broker/config/config_update.h"

#include "broker/config/config_keys.h"

namespace compositord::broker {

ConfigUpdate update_config(const Config& running, const Config& wanted) {
  ConfigUpdate update{running, {}, {}};
  Config source = wanted;  // the table gives places to write to
  for (const ConfigKey& key : config_keys()) {
    // What is written alike is alike: to_yaml() says everything that a Config holds.
    if (value_text(key, running) == value_text(key, wanted)) continue;
    if (key.needs_restart) {
      update.restart.emplace_back(key.path);
      continue;
    }
    update.applied.emplace_back(key.path);
    std::visit([&](const auto& field) { field.in(update.config) = std::move(field.in(source)); }, key.field);
  }
  return update;
}

}  // namespace compositord::broker
