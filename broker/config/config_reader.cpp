#include "broker/config/config_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "broker/config/alert_rules_reader.h"
#include "broker/config/config_keys.h"
#include "broker/config/endpoint.h"
#include "broker/config/notifier_reader.h"
#include "broker/config/units.h"
#include "common/base/check.h"
#include "common/base/log_event.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kEndpointsMax = 16;

std::string join(const std::vector<std::string_view>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

// The names allowed in a section; at the top (empty) keys and sections.
std::vector<std::string_view> names_in(std::string_view section) {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : config_keys()) {
    std::string_view name;
    if (key.section() == section) name = key.name();
    if (section.empty() && !key.section().empty()) name = key.section();
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

bool is_section(std::string_view name) {
  const auto keys = config_keys();
  return std::any_of(keys.begin(), keys.end(), [&](const ConfigKey& key) { return key.section() == name; });
}

const ConfigKey* find_key(std::string_view path) {
  for (const ConfigKey& key : config_keys()) {
    if (key.path == path) return &key;
  }
  return nullptr;
}

std::string help_for_unknown(std::string_view section, std::string_view word) {
  if (const ConfigKey* key = find_key(word); key != nullptr && section.empty()) {
    return fmt::format("write \"{}:\" and below it, indented, \"{}:\"", key->section(), key->name());
  }
  const std::vector<std::string_view> names = names_in(section);
  if (const std::string_view near = nearest(word, names); !near.empty()) {
    return fmt::format("did you mean \"{}\"?", near);
  }
  for (const ConfigKey& key : config_keys()) {
    if (key.name() == word) return fmt::format("did you mean \"{}\"?", key.path);  // right word, wrong section
  }
  return "allowed here: " + join(names);
}

class Reader {
 public:
  explicit Reader(Config& config) : config_(config) {}

  void read_root(const YamlNode& root) {
    if (root.kind == YamlNode::Kind::kNothing) return;  // an empty file
    read_map(root, {});
    check_orders();
    check_grace();
    check_twice();
  }
  std::vector<Diagnostic> take() { return std::move(found_); }

 private:
  void report(TextPosition at, std::string text, std::string help = {}) {
    found_.push_back({at, std::move(text), std::move(help)});
  }

  void read_map(const YamlNode& map, std::string_view section) {
    if (map.kind != YamlNode::Kind::kMap) {
      const std::string what = section.empty() ? "a configuration" : fmt::format("\"{}\"", section);
      report(map.at, fmt::format("{} is a section with keys, not {}", what, kind_name(map.kind)),
             "allowed here: " + join(names_in(section)));
      return;
    }
    std::set<std::string> seen;
    for (const YamlNode::Entry& entry : map.entries) {
      if (entry.key.kind != YamlNode::Kind::kScalar) {
        report(entry.key.at, fmt::format("a key is a word, not {}", kind_name(entry.key.kind)));
      } else if (!seen.insert(entry.key.scalar).second) {
        report(entry.key.at, fmt::format("the key \"{}\" is there twice", escape_for_log(entry.key.scalar)));
      } else {
        read_entry(entry, section);
      }
    }
  }

  void read_entry(const YamlNode::Entry& entry, std::string_view section) {
    const std::string& word = entry.key.scalar;
    // A section without anything below it, as when all of its keys are commented out, sets nothing.
    if (section.empty() && is_section(word)) {
      if (entry.value.kind != YamlNode::Kind::kNothing) read_map(entry.value, word);
      return;
    }
    const ConfigKey* key = find_key(section.empty() ? word : fmt::format("{}.{}", section, word));
    // At the top, "log.level: info" is found by its path and yet no key.
    if (key == nullptr || key->name() != word) {
      report(entry.key.at, fmt::format("unknown key \"{}\"", escape_for_log(word)), help_for_unknown(section, word));
      return;
    }
    if (entry.value.kind == YamlNode::Kind::kNothing) {
      report(entry.key.at, fmt::format("\"{}\" has no value", key->path), help_for_range(*key));
      return;
    }
    places_[key->path] = entry.key.at;
    std::visit([&](const auto& field) { read_value(*key, field, entry.value); }, key->field);
  }

  static std::string help_for_range(const ConfigKey& key) {
    const std::string range = range_text(key);
    return range.empty() ? std::string() : "allowed: " + range;
  }

  // Null, and reported, when it is no single value.
  const std::string* scalar(const ConfigKey& key, const YamlNode& value, std::string_view expected) {
    if (value.kind == YamlNode::Kind::kScalar) return &value.scalar;
    report(value.at, fmt::format("\"{}\" is {}, not {}", key.path, expected, kind_name(value.kind)),
           help_for_range(key));
    return nullptr;
  }
  void out_of_range(const ConfigKey& key, const YamlNode& value) {
    report(value.at, fmt::format("\"{}\" is out of range: {}", key.path, escape_for_log(value.scalar)),
           help_for_range(key));
  }

  void read_value(const ConfigKey& key, const EndpointsField& field, const YamlNode& value) {
    std::vector<std::string> endpoints;
    if (value.kind == YamlNode::Kind::kList) {
      for (const YamlNode& item : value.items) read_endpoint(key, item, endpoints);
      if (value.items.empty()) report(value.at, fmt::format("\"{}\" needs at least one endpoint", key.path));
      if (value.items.size() > kEndpointsMax) {
        report(value.at, fmt::format("\"{}\" has more than {} endpoints", key.path, kEndpointsMax));
      }
    } else {
      read_endpoint(key, value, endpoints);
    }
    field.in(config_) = std::move(endpoints);
  }
  void read_endpoint(const ConfigKey& key, const YamlNode& item, std::vector<std::string>& endpoints) {
    const std::string* text = scalar(key, item, "an endpoint or a list of endpoints");
    if (text == nullptr) return;
    if (const std::string fault = endpoint_fault(*text); !fault.empty()) {
      report(item.at, fmt::format("the endpoint \"{}\" can't be: {}", escape_for_log(*text), fault));
      return;
    }
    endpoint_places_.emplace_back(*text, item.at);
    endpoints.push_back(*text);
  }

  void read_value(const ConfigKey& key, const DirectoryField& field, const YamlNode& value) {
    const std::string* text = scalar(key, value, "a directory");
    if (text == nullptr) return;
    if (!text->starts_with('/') || text->find('\0') != std::string::npos) {
      report(value.at,
             fmt::format("\"{}\" is a path that begins with a slash, not {}", key.path, escape_for_log(*text)));
      return;
    }
    field.in(config_) = *text;
  }

  void read_value(const ConfigKey& key, const FileField& field, const YamlNode& value) {
    const std::string* text = scalar(key, value, "a file");
    if (text == nullptr) return;
    if (!text->empty() && (!text->starts_with('/') || text->find('\0') != std::string::npos)) {
      return report(value.at,
                    fmt::format("\"{}\" is a path that begins with a slash, not {}", key.path, escape_for_log(*text)));
    }
    field.in(config_) = *text;
  }

  void read_value(const ConfigKey& key, const ChoiceField& field, const YamlNode& value) {
    const std::string* text = scalar(key, value, fmt::format("a {}", field.what));
    if (text != nullptr && is_choice(key, field, value)) field.in(config_) = *text;
  }
  void read_value(const ConfigKey& key, const ChoicesField& field, const YamlNode& value) {
    if (value.kind != YamlNode::Kind::kList) {
      report(value.at, fmt::format("\"{}\" is a list, not {}", key.path, kind_name(value.kind)), help_for_range(key));
      return;
    }
    std::vector<std::string> words;
    for (const YamlNode& item : value.items) {
      const std::string* text = scalar(key, item, fmt::format("a list of {}s", field.what));
      if (text == nullptr || !is_choice(key, field, item)) continue;
      const bool is_new = std::find(words.begin(), words.end(), *text) == words.end();
      if (!is_new) report(item.at, fmt::format("\"{}\" is there twice in \"{}\"", *text, key.path));
      words.push_back(*text);
    }
    field.in(config_) = std::move(words);
  }
  // False, and reported, when the scalar is none of the words.
  template <class Field>
  bool is_choice(const ConfigKey& key, const Field& field, const YamlNode& value) {
    const std::string& text = value.scalar;
    if (std::find(field.words.begin(), field.words.end(), text) != field.words.end()) return true;
    const std::string_view near = nearest(text, field.words);
    report(value.at, fmt::format("\"{}\" is no {}", escape_for_log(text), field.what),
           near.empty() ? help_for_range(key) : fmt::format("did you mean \"{}\"?", near));
    return false;
  }

  void read_value(const ConfigKey& key, const DurationField& field, const YamlNode& value) {
    const std::string* text = scalar(key, value, "a duration");
    if (text == nullptr) return;
    const auto duration = parse_duration(*text);
    if (!duration) return report(value.at, escape_for_log(duration.error().text), help_for_range(key));
    if (*duration < field.min || *duration > field.max) return out_of_range(key, value);
    field.in(config_) = *duration;
  }

  void read_value(const ConfigKey& key, const BytesField& field, const YamlNode& value) {
    const std::string* text = scalar(key, value, "a size");
    if (text == nullptr) return;
    const auto bytes = parse_bytes(*text);
    if (!bytes) return report(value.at, escape_for_log(bytes.error().text), help_for_range(key));
    if (*bytes < field.min || *bytes > field.max) return out_of_range(key, value);
    field.in(config_) = *bytes;
  }

  template <class Field>
  requires(std::is_same_v<Field, NumberField> ||
           std::is_same_v<Field, CountField>) void read_value(const ConfigKey& key, const Field& field,
                                                              const YamlNode& value) {
    const std::string* text = scalar(key, value, "a whole number");
    if (text == nullptr) return;
    std::int64_t number = 0;
    const char* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, number);
    if (value.is_quoted || parsed.ec == std::errc::invalid_argument || parsed.ptr != end) {
      const std::string_view why = value.is_quoted ? " in quotes is text" : "";
      return report(value.at,
                    fmt::format("\"{}\" is a whole number; \"{}\"{}", key.path, escape_for_log(*text),
                                why.empty() ? " is none" : why),
                    help_for_range(key));
    }
    if (parsed.ec != std::errc() || std::cmp_less(number, field.min) || std::cmp_greater(number, field.max)) {
      return out_of_range(key, value);
    }
    field.in(config_) = static_cast<std::remove_reference_t<decltype(field.in(config_))>>(number);
  }

  void read_value(const ConfigKey&, const NotifiersField& field, const YamlNode& value) {
    field.in(config_) = read_notifiers(value, found_);
  }
  void read_value(const ConfigKey& key, const TextField& field, const YamlNode& value) {
    const std::string* text = scalar(key, value, "a text");
    if (text == nullptr) return;
    if (text->empty()) return report(value.at, fmt::format("\"{}\" must not be empty", key.path));
    field.in(config_) = *text;
  }

  void read_value(const ConfigKey& key, const AlertRulesField& field, const YamlNode& value) {
    std::vector<AlertRule> rules;
    for (Diagnostic& fault : read_alert_rules(key.path, value, rules)) found_.push_back(std::move(fault));
    field.in(config_) = std::move(rules);
  }

  void read_value(const ConfigKey& key, const ServiceRulesField& field, const YamlNode& value) {
    if (value.kind != YamlNode::Kind::kList) {
      report(value.at, fmt::format("\"{}\" is a list of rules, not {}", key.path, kind_name(value.kind)),
             help_for_range(key));
      return;
    }
    std::vector<ServiceRule> rules;
    for (const YamlNode& item : value.items) {
      if (item.kind == YamlNode::Kind::kMap) {
        read_rule(item, rules.emplace_back());
      } else {
        report(item.at, fmt::format("a rule is a map, not {}", kind_name(item.kind)), help_for_range(key));
      }
    }
    field.in(config_) = std::move(rules);
  }
  void read_rule(const YamlNode& map, ServiceRule& rule) {
    constexpr std::array<std::string_view, 3> kNames{"match", "credit", "idempotent"};
    for (const YamlNode::Entry& entry : map.entries) {
      const std::string& word = entry.key.scalar;
      const std::string& text = entry.value.scalar;
      const bool is_scalar = entry.value.kind == YamlNode::Kind::kScalar;
      if (word == "match" && is_scalar && !text.empty()) {
        rule.match = text;
      } else if (word == "credit" && is_scalar) {
        rule.credit = read_rule_credit(entry.value);
      } else if (word == "idempotent" && (text == "true" || text == "false") && !entry.value.is_quoted) {
        rule.idempotent = text == "true";
      } else if (std::find(kNames.begin(), kNames.end(), word) != kNames.end()) {
        report(entry.value.at, fmt::format("\"{}\" of a rule can't be this", word),
               "match: a pattern; credit: a number; idempotent: true or false");
      } else {
        const std::string_view near = nearest(word, kNames);
        report(entry.key.at, fmt::format("unknown key \"{}\" in a rule", escape_for_log(word)),
               near.empty() ? "allowed here: match, credit, idempotent" : fmt::format("did you mean \"{}\"?", near));
      }
    }
    if (rule.match.empty()) report(map.at, "a rule needs \"match\": a pattern of service names, as in \"render.*\"");
  }
  std::optional<int> read_rule_credit(const YamlNode& value) {
    int number = 0;
    const char* end = value.scalar.data() + value.scalar.size();
    const auto parsed = std::from_chars(value.scalar.data(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end && number >= kRuleCreditMin && number <= kRuleCreditMax) {
      return number;
    }
    report(value.at, fmt::format("\"credit\" is a whole number {} … {}", kRuleCreditMin, kRuleCreditMax));
    return std::nullopt;
  }

  // Where to show a fault between two keys: at one that the file sets, the default of the other is not to blame. Nothing
  // when the file sets neither.
  const TextPosition* place_of(std::string_view a, std::string_view b) const {
    if (const auto at = places_.find(a); at != places_.end()) return &at->second;
    if (const auto at = places_.find(b); at != places_.end()) return &at->second;
    return nullptr;
  }

  void check_orders() {
    for (const ConfigOrder& order : config_orders()) {
      const ConfigKey* a = find_key(order.a);
      const ConfigKey* b = find_key(order.b);
      CHECK(a != nullptr && b != nullptr);
      const TextPosition* at = place_of(order.a, order.b);
      if (at == nullptr || magnitude(*a, config_) <= magnitude(*b, config_)) continue;
      report(*at, fmt::format("\"{}\" ({}) must not be greater than \"{}\" ({})", a->path, value_text(*a, config_),
                              b->path, value_text(*b, config_)));
    }
  }

  void check_grace() {
    const BrokerConfig& core = config_.core;
    const TextPosition* at = place_of("heartbeat.disconnect_grace", "heartbeat.interval");
    if (at == nullptr) at = place_of("heartbeat.liveness", {});
    const Duration silence = core.heartbeat_interval * core.heartbeat_liveness;
    if (at == nullptr || core.disconnect_grace <= silence) return;
    report(*at,
           fmt::format("\"heartbeat.disconnect_grace\" ({}) is longer than the silence after which a worker is lost "
                       "anyway (interval times liveness: {})",
                       format_duration(core.disconnect_grace), format_duration(silence)));
  }

  // Two sockets, or one socket twice, can't be bound to one endpoint. Those whose name the system chooses can.
  void check_twice() {
    std::set<std::string> seen;
    for (const std::vector<std::string>* list : {&config_.bus, &config_.feed}) {
      for (const std::string& endpoint : *list) {
        if (endpoint.ends_with('*') || seen.insert(endpoint).second) continue;
        // The last place that names it; when a default is the other, the only one.
        const auto named = [&](const auto& place) { return place.first == endpoint; };
        const auto at = std::find_if(endpoint_places_.rbegin(), endpoint_places_.rend(), named);
        if (at == endpoint_places_.rend()) continue;
        report(at->second,
               fmt::format("the endpoint \"{}\" is there twice, in bus and feed together", escape_for_log(endpoint)));
      }
    }
  }

  Config& config_;
  std::vector<Diagnostic> found_;
  std::map<std::string_view, TextPosition> places_;  // of the keys that the file sets
  std::vector<std::pair<std::string, TextPosition>> endpoint_places_;
};

}  // namespace

std::vector<Diagnostic> read_config(const YamlNode& root, Config& config) {
  Reader reader(config);
  reader.read_root(root);
  return reader.take();
}

}  // namespace compositord::broker
