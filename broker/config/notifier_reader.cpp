#include "broker/config/notifier_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "broker/config/units.h"
#include "broker/config/yaml_text.h"
#include "broker/notify/body_template.h"
#include "common/base/log_event.h"

namespace compositord::broker {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::size_t kNotifiersMax = 32;  // a thread each
constexpr std::size_t kNameBytesMax = 64;
constexpr std::array<std::string_view, 3> kSeverities{"info", "warning", "critical"};
constexpr std::array<std::string_view, 2> kSelectorKeys{"ids", "labels"};

// Which kinds have a key; nothing: all.
struct Key {
  std::string_view name;
  std::optional<NotifierKind> only;
};
constexpr std::array kKeys{Key{"name", {}},
                           Key{"kind", {}},
                           Key{"severity", {}},
                           Key{"resolved", {}},
                           Key{"selector", {}},
                           Key{"timeout", {}},
                           Key{"attempts", {}},
                           Key{"backoff", {}},
                           Key{"give_up_after", {}},
                           Key{"queue", {}},
                           Key{"url", NotifierKind::kWebhook},
                           Key{"url_file", NotifierKind::kWebhook},
                           Key{"template", NotifierKind::kWebhook},
                           Key{"headers", NotifierKind::kWebhook},
                           Key{"headers_file", NotifierKind::kWebhook},
                           Key{"redirects", NotifierKind::kWebhook},
                           Key{"command", NotifierKind::kExec},
                           Key{"bus", NotifierKind::kDesktop}};

std::string_view name_of(NotifierKind kind) { return kNotifierKinds[static_cast<std::size_t>(kind)]; }

// "did you mean …?", or what there is.
std::string help_for(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view near = nearest(word, known);
  if (!near.empty()) return fmt::format("did you mean \"{}\"?", near);
  return fmt::format("allowed here: {}", fmt::join(known, ", "));
}

std::vector<std::string_view> keys_of(std::optional<NotifierKind> kind) {
  std::vector<std::string_view> names;
  for (const Key& key : kKeys) {
    if (!kind || !key.only || key.only == kind) names.push_back(key.name);
  }
  return names;
}

bool is_name(std::string_view text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !text.empty() && text.size() <= kNameBytesMax && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// RFC 9110, "token".
bool is_header_name(std::string_view text) {
  return !text.empty() && is_printable(text) && text.find_first_of(" \"(),/:;<=>?@[\\]{}") == std::string_view::npos;
}

class NotifierReader {
 public:
  NotifierReader(const YamlNode& map, NotifierConfig& config, std::vector<Diagnostic>& found)
      : map_(map), config_(config), found_(found) {}

  void read() {
    const std::size_t before = found_.size();
    read_kind();
    std::set<std::string> seen;
    for (const YamlNode::Entry& entry : map_.entries) {
      if (entry.key.kind != YamlNode::Kind::kScalar) {
        report(entry.key.at, fmt::format("a key is a word, not {}", kind_name(entry.key.kind)));
      } else if (!seen.insert(entry.key.scalar).second) {
        report(entry.key.at, fmt::format("the key \"{}\" is there twice", escape_for_log(entry.key.scalar)));
      } else if (is_known(entry.key)) {
        read_entry(entry.key.scalar, entry.value);
      }
    }
    if (found_.size() == before) check_whole();
  }

 private:
  void report(TextPosition at, std::string text, std::string help = {}) {
    found_.push_back({at, std::move(text), std::move(help)});
  }

  // First, since the others depend on it.
  void read_kind() {
    for (const YamlNode::Entry& entry : map_.entries) {
      if (entry.key.scalar != "kind" || entry.value.kind != YamlNode::Kind::kScalar) continue;
      const auto* it = std::find(kNotifierKinds.begin(), kNotifierKinds.end(), entry.value.scalar);
      if (it == kNotifierKinds.end()) {
        report(entry.value.at, fmt::format("\"{}\" is no kind of notifier", escape_for_log(entry.value.scalar)),
               help_for(entry.value.scalar, kNotifierKinds));
        return;
      }
      kind_ = static_cast<NotifierKind>(it - kNotifierKinds.begin());
      config_.kind = *kind_;
      return;
    }
    report(map_.at, "a notifier needs \"kind\"", fmt::format("allowed: {}", fmt::join(kNotifierKinds, ", ")));
  }

  bool is_known(const YamlNode& word) {
    const auto* key = std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& k) { return k.name == word.scalar; });
    if (key == kKeys.end()) {
      report(word.at, fmt::format("unknown key \"{}\" in a notifier", escape_for_log(word.scalar)),
             help_for(word.scalar, keys_of(kind_)));
      return false;
    }
    if (!kind_ || !key->only || key->only == kind_) return true;
    report(word.at,
           fmt::format("\"{}\" is for the kind {}, not for {}", key->name, name_of(*key->only), name_of(*kind_)));
    return false;
  }

  void read_entry(std::string_view key, const YamlNode& value) {
    if (key == "name") return read_name(value);
    if (key == "severity") return read_severities(value);
    if (key == "resolved") return read_bool(key, value, config_.resolved);
    if (key == "selector") return read_selector(value);
    if (key == "timeout") return read_duration(key, value, milliseconds(100), minutes(10), config_.timeout);
    if (key == "backoff") return read_duration(key, value, milliseconds(1), minutes(2), config_.backoff);
    if (key == "give_up_after") return read_duration(key, value, milliseconds(0), hours(24), config_.give_up_after);
    if (key == "attempts") return read_number(key, value, 1, 1'000, config_.attempts);
    if (key == "redirects") return read_number(key, value, 0, 20, config_.redirects);
    if (key == "queue") return read_number(key, value, 1, 100'000, config_.queue_max);
    if (key == "url") return read_url(value);
    if (key == "url_file") return read_path(key, value, config_.url_file);
    if (key == "headers_file") return read_path(key, value, config_.headers_file);
    if (key == "template") return read_template(value);
    if (key == "headers") return read_headers(value);
    if (key == "command") return read_texts(key, value, config_.command);
    if (key == "bus") return read_text(key, value, config_.bus);
  }

  // False, and reported, when it is no single value.
  bool is_scalar(std::string_view key, const YamlNode& value, std::string_view expected) {
    if (value.kind == YamlNode::Kind::kScalar) return true;
    report(value.at, fmt::format("\"{}\" of a notifier is {}, not {}", key, expected, kind_name(value.kind)));
    return false;
  }
  void read_name(const YamlNode& value) {
    if (!is_scalar("name", value, "a word")) return;
    if (!is_name(value.scalar)) {
      report(value.at, fmt::format("\"{}\" can't be a notifier's name", escape_for_log(value.scalar)),
             fmt::format("allowed: up to {} letters, digits and . _ -", kNameBytesMax));
    }
    config_.name = value.scalar;
  }
  void read_text(std::string_view key, const YamlNode& value, std::string& text) {
    if (!is_scalar(key, value, "a text")) return;
    if (value.scalar.empty() || !is_printable(value.scalar)) {
      report(value.at, fmt::format("\"{}\" of a notifier is empty or has characters that can't be", key));
    }
    text = value.scalar;
  }
  void read_path(std::string_view key, const YamlNode& value, std::string& path) {
    read_text(key, value, path);
    if (value.kind == YamlNode::Kind::kScalar && !path.starts_with('/')) {
      report(value.at, fmt::format("\"{}\" is a path that begins with a slash, not {}", key, escape_for_log(path)));
    }
  }
  void read_texts(std::string_view key, const YamlNode& value, std::vector<std::string>& texts) {
    if (value.kind != YamlNode::Kind::kList || value.items.empty()) {
      report(value.at, fmt::format("\"{}\" is a list of texts", key));
      return;
    }
    for (const YamlNode& item : value.items) {
      if (!is_scalar(key, item, "a list of texts")) continue;
      if (item.scalar.find('\0') != std::string::npos) report(item.at, "a text has no NUL byte");
      texts.push_back(item.scalar);
    }
  }
  void read_bool(std::string_view key, const YamlNode& value, bool& flag) {
    const bool is_true = value.scalar == "true";
    if (value.is_quoted || (!is_true && value.scalar != "false")) {
      report(value.at, fmt::format("\"{}\" of a notifier is true or false", key));
    }
    flag = is_true;
  }
  void read_duration(std::string_view key, const YamlNode& value, Duration min, Duration max, Duration& duration) {
    if (!is_scalar(key, value, "a duration")) return;
    const auto parsed = parse_duration(value.scalar);
    const std::string help = fmt::format("allowed: {} … {}", format_duration(min), format_duration(max));
    if (!parsed) return report(value.at, escape_for_log(parsed.error().text), help);
    if (*parsed < min || *parsed > max) {
      return report(value.at, fmt::format("\"{}\" of a notifier is out of range: {}", key, value.scalar), help);
    }
    duration = *parsed;
  }
  template <class Number>
  void read_number(std::string_view key, const YamlNode& value, std::int64_t min, std::int64_t max, Number& number) {
    std::int64_t parsed = 0;
    const char* end = value.scalar.data() + value.scalar.size();
    const auto result = std::from_chars(value.scalar.data(), end, parsed);
    const bool is_number = result.ec == std::errc() && result.ptr == end && !value.is_quoted;
    if (!is_number || value.scalar.empty() || parsed < min || parsed > max) {
      return report(value.at, fmt::format("\"{}\" of a notifier is a whole number {} … {}", key, min, max));
    }
    number = static_cast<Number>(parsed);
  }

  void read_severity(const YamlNode& value) {
    if (!is_scalar("severity", value, "a word or a list of words")) return;
    const auto* it = std::find(kSeverities.begin(), kSeverities.end(), value.scalar);
    if (it == kSeverities.end()) {
      report(value.at, fmt::format("\"{}\" is no severity of an alert", escape_for_log(value.scalar)),
             help_for(value.scalar, kSeverities));
    }
    config_.severities.push_back(value.scalar);
  }
  void read_severities(const YamlNode& value) {
    if (value.kind != YamlNode::Kind::kList) return read_severity(value);
    for (const YamlNode& item : value.items) read_severity(item);
  }
  void read_selector(const YamlNode& value) {
    if (value.kind != YamlNode::Kind::kMap) {
      return report(value.at, fmt::format("\"selector\" is a map, not {}", kind_name(value.kind)),
                    "as in: {ids: [\"wall-*/*\"], labels: {site: berlin}}");
    }
    for (const YamlNode::Entry& entry : value.entries) {
      if (entry.key.scalar == "ids") {
        read_texts("ids", entry.value, config_.subjects);
      } else if (entry.key.scalar == "labels") {
        read_map("labels", entry.value, config_.labels);
      } else {
        report(entry.key.at, fmt::format("unknown key \"{}\" in a selector", escape_for_log(entry.key.scalar)),
               help_for(entry.key.scalar, kSelectorKeys));
      }
    }
  }
  void read_map(std::string_view key, const YamlNode& value, std::map<std::string, std::string>& map) {
    if (value.kind != YamlNode::Kind::kMap) {
      return report(value.at, fmt::format("\"{}\" is a map, not {}", key, kind_name(value.kind)));
    }
    for (const YamlNode::Entry& entry : value.entries) {
      if (is_scalar(key, entry.key, "a map of texts") && is_scalar(key, entry.value, "a map of texts")) {
        map[entry.key.scalar] = entry.value.scalar;
      }
    }
  }

  void read_url(const YamlNode& value) {
    read_text("url", value, config_.url);
    const bool is_http = config_.url.starts_with("http://") || config_.url.starts_with("https://");
    if (value.kind == YamlNode::Kind::kScalar && (!is_http || config_.url.find(' ') != std::string::npos)) {
      report(value.at, "\"url\" begins with http:// or https:// and has no blank");
    }
  }
  void read_template(const YamlNode& value) {
    if (!is_scalar("template", value, "a text")) return;
    config_.body = value.scalar;
    const std::string fault = template_fault(config_.body);
    if (!fault.empty()) report(value.at, "\"template\" can't be used: " + fault);
  }
  void read_headers(const YamlNode& value) {
    read_map("headers", value, config_.headers);
    for (const auto& [name, text] : config_.headers) {
      if (is_header_name(name) && is_printable(text)) continue;
      report(value.at, fmt::format("\"{}\" with its value can't be a header", escape_for_log(name)));
    }
  }

  void check_whole() {
    if (config_.name.empty()) report(map_.at, "a notifier needs \"name\": it stands in log events and dead letters");
    const bool has_url = !config_.url.empty();
    if (kind_ == NotifierKind::kWebhook && has_url != config_.url_file.empty()) {
      report(map_.at, "a notifier of the kind webhook needs one of \"url\" and \"url_file\"");
    }
    if (kind_ == NotifierKind::kExec && (config_.command.empty() || config_.command.front().empty())) {
      report(map_.at, "a notifier of the kind exec needs \"command\"", "as in: command: [/usr/local/bin/page, --now]");
    }
  }

  const YamlNode& map_;
  NotifierConfig& config_;
  std::vector<Diagnostic>& found_;
  std::optional<NotifierKind> kind_;
};

std::string list_text(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  quoted.reserve(texts.size());
  for (const std::string& text : texts) quoted.push_back(yaml_string(text));
  return fmt::format("[{}]", fmt::join(quoted, ", "));
}

std::string map_text(const std::map<std::string, std::string>& map) {
  std::vector<std::string> entries;
  entries.reserve(map.size());
  for (const auto& [key, value] : map) entries.push_back(yaml_string(key) + ": " + yaml_string(value));
  return fmt::format("{{{}}}", fmt::join(entries, ", "));
}

std::string selector_text(const NotifierConfig& config) {
  std::vector<std::string> parts;
  if (!config.subjects.empty()) parts.push_back("ids: " + list_text(config.subjects));
  if (!config.labels.empty()) parts.push_back("labels: " + map_text(config.labels));
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

}  // namespace

std::vector<NotifierConfig> read_notifiers(const YamlNode& list, std::vector<Diagnostic>& found) {
  std::vector<NotifierConfig> notifiers;
  if (list.kind != YamlNode::Kind::kList) {
    found.push_back({list.at, fmt::format("\"notify\" is a list of notifiers, not {}", kind_name(list.kind)), {}});
    return notifiers;
  }
  if (list.items.size() > kNotifiersMax) {
    found.push_back({list.at, fmt::format("\"notify\" has more than {} notifiers", kNotifiersMax), {}});
    return notifiers;
  }
  std::set<std::string> names;
  for (const YamlNode& item : list.items) {
    if (item.kind != YamlNode::Kind::kMap) {
      found.push_back({item.at, fmt::format("a notifier is a map, not {}", kind_name(item.kind)), {}});
      continue;
    }
    NotifierConfig& config = notifiers.emplace_back();
    NotifierReader(item, config, found).read();
    if (config.name.empty() || names.insert(config.name).second) continue;
    found.push_back({item.at, fmt::format("two notifiers have the name \"{}\"", config.name), {}});
  }
  return notifiers;
}

std::string notifier_text(const NotifierConfig& config) {
  const NotifierConfig defaults;
  std::vector<std::string> parts{"name: " + yaml_string(config.name), fmt::format("kind: {}", name_of(config.kind))};
  const auto add = [&](bool is_set, std::string_view key, const std::string& value) {
    if (is_set) parts.push_back(fmt::format("{}: {}", key, value));
  };
  add(!config.severities.empty(), "severity", fmt::format("[{}]", fmt::join(config.severities, ", ")));
  add(!config.resolved, "resolved", "false");
  add(!config.subjects.empty() || !config.labels.empty(), "selector", selector_text(config));
  add(config.timeout != defaults.timeout, "timeout", format_duration(config.timeout));
  add(config.attempts != defaults.attempts, "attempts", fmt::format("{}", config.attempts));
  add(config.backoff != defaults.backoff, "backoff", format_duration(config.backoff));
  add(config.give_up_after != defaults.give_up_after, "give_up_after", format_duration(config.give_up_after));
  add(config.queue_max != defaults.queue_max, "queue", fmt::format("{}", config.queue_max));
  add(!config.url.empty(), "url", yaml_string(config.url));
  add(!config.url_file.empty(), "url_file", yaml_string(config.url_file));
  add(!config.body.empty(), "template", yaml_string(config.body));
  add(!config.headers.empty(), "headers", map_text(config.headers));
  add(!config.headers_file.empty(), "headers_file", yaml_string(config.headers_file));
  add(config.redirects != defaults.redirects, "redirects", fmt::format("{}", config.redirects));
  add(!config.command.empty(), "command", list_text(config.command));
  add(!config.bus.empty(), "bus", yaml_string(config.bus));
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

}  // namespace compositord::broker
