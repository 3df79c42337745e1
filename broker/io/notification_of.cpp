#include "broker/io/notification_of.h"

#include <fmt/format.h>

#include <string>

namespace compositord::broker {

Notification notification_of(const msg::Alert& alert) {
  const bool firing = alert.state == msg::AlertState::kFiring;
  Notification n;
  n.dedupe = fmt::format("{}/{}", alert.alert, alert.change);
  n.state = name_of(alert.state);
  n.severity = name_of(alert.severity);
  n.subject = alert.id;
  n.layer = alert.layer;
  n.title =
      firing ? fmt::format("{}: {}", alert.id, alert.text) : fmt::format("{}: {} is well again", alert.id, alert.about);
  const std::string seen = alert.seen.empty() ? std::string() : fmt::format(" ({})", alert.seen);
  n.text = firing ? fmt::format("{}{}. {}", alert.text, seen, alert.advice) : fmt::format("It is over: {}", alert.text);
  msg::Value json = to_value(alert);
  json.set("dedupe", n.dedupe);
  n.json = msg::encode_json(json);
  n.since_ms = alert.since.ms;
  n.at_ms = alert.at.ms;
  n.labels = alert.labels;
  return n;
}

}  // namespace compositord::broker
