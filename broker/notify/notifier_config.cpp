#include "broker/notify/notifier_config.h"

#include <algorithm>

#include "common/base/glob.h"

namespace compositord::broker {

bool wants(const NotifierConfig& config, const Notification& notification) {
  const auto& severities = config.severities;
  const bool severe = std::find(severities.begin(), severities.end(), notification.severity) != severities.end();
  // News are worth a line somewhere, and a message only to those who ask for it.
  if (severities.empty() ? notification.severity == "info" : !severe) return false;
  if (notification.state == "resolved" && !config.resolved) return false;
  const auto fits = [&](const std::string& pattern) { return glob_matches(pattern, notification.subject); };
  const auto& subjects = config.subjects;
  if (!subjects.empty() && std::none_of(subjects.begin(), subjects.end(), fits)) return false;
  return std::all_of(config.labels.begin(), config.labels.end(), [&](const auto& label) {
    const auto it = notification.labels.find(label.first);
    return it != notification.labels.end() && glob_matches(label.second, it->second);
  });
}

}  // namespace compositord::broker
