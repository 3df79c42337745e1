#pragma once
// An alert: a status change worth a person's time. Source: schemas/messages/alert.json, schemas/TOPICS.md.

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "common/msg/fields.h"
#include "common/msg/status.h"

namespace compositord::msg {

enum class AlertSeverity : std::uint8_t { kWarning, kCritical };
constexpr auto enum_names(AlertSeverity) {
  return std::array<EnumName<AlertSeverity>, 2>{
      {{AlertSeverity::kWarning, "warning"}, {AlertSeverity::kCritical, "critical"}}};
}

enum class AlertState : std::uint8_t { kFiring, kResolved };
constexpr auto enum_names(AlertState) {
  return std::array<EnumName<AlertState>, 2>{{{AlertState::kFiring, "firing"}, {AlertState::kResolved, "resolved"}}};
}

struct Alert {
  std::string id;     // the compositor
  std::string layer;  // with `id` the alert's key: "link", "process", "progress", "output/<name>"
  AlertSeverity severity = AlertSeverity::kWarning;
  AlertState state = AlertState::kFiring;
  std::string text;  // what happened, a sentence
  UnixMs since;      // when it began to fire
  UnixMs at;         // when this change was made
  std::map<std::string, std::string> labels;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("id", m.id);
    v("layer", m.layer);
    v("severity", m.severity);
    v("state", m.state);
    v("text", m.text);
    v("since", m.since);
    v("at", m.at);
    v.optional("labels", m.labels);
  }
};

}  // namespace compositord::msg
