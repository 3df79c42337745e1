#include "broker/config/alert_rules_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string>

#include "broker/config/units.h"
#include "common/base/glob.h"
#include "common/base/log_event.h"

namespace compositord::broker {

namespace {

constexpr std::array<std::string_view, 6> kKeys{"kind", "id", "fail_after", "ok_after", "severity", "enabled"};
constexpr std::array<std::string_view, 3> kSeverities{"info", "warning", "critical"};
constexpr Duration kLongest = std::chrono::hours(24);

std::string help_for(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view near = nearest(word, known);
  if (!near.empty()) return fmt::format("did you mean \"{}\"?", near);
  return fmt::format("allowed here: {}", fmt::join(known, ", "));
}

class RuleReader {
 public:
  explicit RuleReader(std::vector<Diagnostic>& found) : found_(found) {}

  void read(const YamlNode& map, AlertRule& rule) {
    for (const YamlNode::Entry& entry : map.entries) {
      const std::string& key = entry.key.scalar;
      if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) {
        report(entry.key.at, fmt::format("unknown key \"{}\" in a rule", escape_for_log(key)), help_for(key, kKeys));
      } else if (entry.value.kind != YamlNode::Kind::kScalar || entry.value.scalar.empty()) {
        report(entry.value.at, fmt::format("\"{}\" of a rule is one word", key));
      } else {
        read_value(key, entry.value, rule);
      }
    }
  }

 private:
  void read_value(std::string_view key, const YamlNode& value, AlertRule& rule) {
    if (key == "kind") return read_kind(value, rule);
    if (key == "id") {
      rule.id = value.scalar;
    } else if (key == "fail_after") {
      read_duration(key, value, rule.fail_after);
    } else if (key == "ok_after") {
      read_duration(key, value, rule.ok_after);
    } else if (key == "severity") {
      rule.severity = msg::enum_from_name<msg::AlertSeverity>(value.scalar);
      if (!rule.severity) {
        report(value.at, fmt::format("\"{}\" is no severity", escape_for_log(value.scalar)),
               help_for(value.scalar, kSeverities));
      }
    } else {
      const bool known = (value.scalar == "true" || value.scalar == "false") && !value.is_quoted;
      if (!known) report(value.at, "\"enabled\" of a rule is true or false");
      rule.enabled = value.scalar == "true";
    }
  }

  void read_kind(const YamlNode& value, AlertRule& rule) {
    rule.kind = value.scalar;
    std::vector<std::string_view> kinds;
    for (const auto& entry : enum_names(msg::AlertKind{})) kinds.push_back(entry.name);
    const auto fits = [&](std::string_view kind) { return glob_matches(rule.kind, kind); };
    if (std::any_of(kinds.begin(), kinds.end(), fits)) return;
    report(value.at, fmt::format("no alert is of the kind \"{}\"", escape_for_log(rule.kind)),
           help_for(value.scalar, kinds));
  }

  void read_duration(std::string_view key, const YamlNode& value, Duration& into) {
    const Result<Duration> duration = parse_duration(value.scalar);
    if (!duration) return report(value.at, escape_for_log(duration.error().text));
    if (*duration > kLongest) return report(value.at, fmt::format("\"{}\" of a rule is at most 24h", key));
    into = *duration;
  }

  void report(TextPosition at, std::string text, std::string help = {}) {
    found_.push_back(Diagnostic{at, std::move(text), std::move(help)});
  }

  std::vector<Diagnostic>& found_;
};

}  // namespace

std::vector<Diagnostic> read_alert_rules(std::string_view path, const YamlNode& list, std::vector<AlertRule>& rules) {
  std::vector<Diagnostic> found;
  if (list.kind != YamlNode::Kind::kList) {
    found.push_back({list.at, fmt::format("\"{}\" is a list of rules", path), {}});
    return found;
  }
  RuleReader reader(found);
  for (const YamlNode& item : list.items) {
    if (item.kind == YamlNode::Kind::kMap) {
      reader.read(item, rules.emplace_back());
    } else {
      found.push_back({item.at, "a rule is a map", {}});
    }
  }
  return found;
}

}  // namespace compositord::broker
