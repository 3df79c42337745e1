#include "tools/compositorctl/alert_text.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace compositord::ctl {

Colour colour_of(msg::AlertSeverity severity, msg::AlertState state) {
  if (state == msg::AlertState::kResolved) return Colour::kGreen;
  if (severity == msg::AlertSeverity::kInfo) return Colour::kDim;
  return severity == msg::AlertSeverity::kCritical ? Colour::kRed : Colour::kYellow;
}

namespace {

bool in_maintenance(const msg::Alert& alert) { return alert.suppressed_by.starts_with("maintenance-"); }

}  // namespace

std::string alert_note(const msg::Alert& alert) {
  std::string note;
  const auto add = [&](const std::string& text) { note += (note.empty() ? "" : ", ") + text; };
  if (alert.acked) add("acknowledged by " + safe_text(alert.acked->author));
  if (!alert.silenced_by.empty()) add("silenced");
  if (in_maintenance(alert)) add("in maintenance");
  if (!alert.suppressed_by.empty() && !in_maintenance(alert)) add("explained by another alert");
  return note;
}

std::string hidden_text(const std::vector<msg::Alert>& hidden) {
  if (hidden.empty()) return {};
  const auto planned = std::count_if(hidden.begin(), hidden.end(), in_maintenance);
  const auto explained = std::ssize(hidden) - planned;
  std::string text = " except ";
  if (explained > 0) text += fmt::format("{} explained by {}", explained, explained == 1 ? "another" : "others");
  if (explained > 0 && planned > 0) text += " and ";
  if (planned > 0) text += fmt::format("{} in maintenance", planned);
  return text + (hidden.size() == 1 ? " (--all shows it)" : " (--all shows them)");
}

std::string alert_table(const std::vector<msg::Alert>& alerts, UnixMs now, bool coloured) {
  Table table({"ALERT", "SEVERITY", "STATE", "SINCE", "OF", "ABOUT", "WHAT", "NOTE"});
  for (const msg::Alert& alert : alerts) {
    table.add({{safe_text(alert.alert)},
               {std::string(name_of(alert.severity)), colour_of(alert.severity, alert.state)},
               {std::string(name_of(alert.state))},
               {age_text(now.ms - alert.since.ms)},
               {safe_text(alert.id)},
               {safe_text(alert.about)},
               {safe_text(alert.text)},
               {alert_note(alert)}});
  }
  return table.to_text(coloured);
}

std::string alert_line(const msg::Alert& alert, bool coloured) {
  const std::string what = fmt::format("{} alert {}", name_of(alert.severity), name_of(alert.state));
  const std::string note = alert_note(alert);
  return fmt::format("{}  {}  {}  {}: {}{}", time_text(alert.at), safe_text(alert.id),
                     paint(what, colour_of(alert.severity, alert.state), coloured), safe_text(alert.about),
                     safe_text(alert.text), note.empty() ? "" : " (" + note + ")");
}

std::string selector_text(const msg::Value& selector) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : " ") + safe_text(part); };
  if (const msg::Value* ids = selector.find("ids"); ids != nullptr && ids->is_array()) {
    for (const msg::Value& id : *ids->if_array()) add(id.is_string() ? *id.if_string() : "?");
  }
  if (const msg::Value* labels = selector.find("labels"); labels != nullptr && labels->is_map()) {
    for (const auto& [name, value] : *labels->if_map())
      add(name + "=" + (value.is_string() ? *value.if_string() : "?"));
  }
  return text;
}

std::string window_table(const std::vector<msg::AlertWindow>& windows, UnixMs now, bool coloured) {
  Table table({"ID", "STATE", "ENDS", "WHICH", "KINDS", "AUTHOR", "COMMENT"});
  for (const msg::AlertWindow& window : windows) {
    std::string kinds;
    for (const std::string& kind : window.kinds) kinds += (kinds.empty() ? "" : " ") + safe_text(kind);
    const bool active = window.from <= now;
    table.add({{safe_text(window.window)},
               {active ? "active" : "begins in " + age_text(window.from.ms - now.ms)},
               {"in " + age_text(window.until.ms - now.ms)},
               {selector_text(window.selector)},
               {kinds},
               {safe_text(window.author)},
               {safe_text(window.comment)}});
  }
  return table.to_text(coloured);
}

}  // namespace compositord::ctl
