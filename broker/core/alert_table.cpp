#include "broker/core/alert_table.h"

#include <algorithm>

namespace compositord::broker {

namespace {

msg::Alert resolved(msg::Alert alert, UnixMs now) {
  alert.state = msg::AlertState::kResolved;
  alert.at = now;
  return alert;
}

bool has_layer(const std::vector<Fault>& faults, const std::string& layer) {
  return std::any_of(faults.begin(), faults.end(), [&](const Fault& f) { return f.layer == layer; });
}

}  // namespace

std::vector<msg::Alert> AlertTable::update(const msg::Status& status, const std::vector<Fault>& faults, UnixMs now) {
  std::vector<msg::Alert> changes;
  auto& firing = firing_[status.id];
  // With the link down nothing is known of the layers behind it: they neither fire nor resolve.
  const bool link_down = has_layer(faults, "link");
  for (auto it = firing.begin(); it != firing.end();) {
    if (has_layer(faults, it->first) || (link_down && it->first != "link")) {
      ++it;
      continue;
    }
    changes.push_back(resolved(it->second, now));
    it = firing.erase(it);
  }
  for (const Fault& fault : faults) {
    const msg::AlertSeverity severity = severity_of(fault.verdict);
    const auto it = firing.find(fault.layer);
    if (it != firing.end() && it->second.severity == severity && it->second.text == fault.text) continue;
    msg::Alert alert;
    alert.id = status.id;
    alert.layer = fault.layer;
    alert.severity = severity;
    alert.text = fault.text;
    alert.since = it != firing.end() ? it->second.since : now;
    alert.at = now;
    alert.labels = status.labels;
    if (it != firing.end() && it->second.severity != severity) changes.push_back(resolved(it->second, now));
    changes.push_back(alert);
    firing[fault.layer] = std::move(alert);
  }
  if (firing.empty()) firing_.erase(status.id);
  return changes;
}

std::size_t AlertTable::firing_count(const std::string& id) const {
  const auto it = firing_.find(id);
  return it == firing_.end() ? 0 : it->second.size();
}

}  // namespace compositord::broker
