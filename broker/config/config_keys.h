#pragma once
// Every key of the configuration, in one table: reading, writing, the example and the error texts all follow it.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/config/config.h"

namespace compositord::broker {

// Each kind of value: where it is in a Config, and its range.
struct EndpointsField {
  std::vector<std::string>& (*in)(Config&);
};
struct DirectoryField {
  std::filesystem::path& (*in)(Config&);
};
// A file; empty: none.
struct FileField {
  std::filesystem::path& (*in)(Config&);
};
// One word of a few.
struct ChoiceField {
  std::string& (*in)(Config&);
  std::span<const std::string_view> words;
  std::string_view what;  // "level", as error texts name it
};
// A list of them, none twice; it may be empty.
struct ChoicesField {
  std::vector<std::string>& (*in)(Config&);
  std::span<const std::string_view> words;
  std::string_view what;
};
struct DurationField {
  Duration& (*in)(Config&);
  Duration min, max;
};
struct NumberField {
  int& (*in)(Config&);
  int min, max;
};
struct CountField {
  std::size_t& (*in)(Config&);
  std::size_t min, max;
};
struct BytesField {
  std::size_t& (*in)(Config&);
  std::size_t min, max;
};

inline constexpr int kRuleCreditMin = 1;
inline constexpr int kRuleCreditMax = 1'024;
// A list of maps {match, credit?, idempotent?}.
struct ServiceRulesField {
  std::vector<ServiceRule>& (*in)(Config&);
};

// A list of maps, see notifier_reader.h.
struct NotifiersField {
  std::vector<NotifierConfig>& (*in)(Config&);
};

// A text that is not empty.
struct TextField {
  std::string& (*in)(Config&);
};
// A list of maps {kind?, id?, fail_after?, ok_after?, severity?, enabled?}.
struct AlertRulesField {
  std::vector<AlertRule>& (*in)(Config&);
};

struct ConfigKey {
  std::string_view path;  // "heartbeat.interval": at most one section
  std::variant<EndpointsField, DirectoryField, FileField, ChoiceField, ChoicesField, DurationField, NumberField,
               CountField, BytesField, ServiceRulesField, NotifiersField, TextField, AlertRulesField>
      field;
  std::string_view meaning;  // for the operator, one or more sentences
  // A broker that runs does not take another value. All other keys are in force from a reload on, for what begins then.
  bool needs_restart = false;

  std::string_view section() const noexcept;  // "heartbeat", or empty
  std::string_view name() const noexcept;     // "interval"
};

// In the order of the example file; the keys of one section stand together.
std::span<const ConfigKey> config_keys() noexcept;
// A rule between two keys: `a` may not be greater than `b`.
struct ConfigOrder {
  std::string_view a;
  std::string_view b;
};
std::span<const ConfigOrder> config_orders() noexcept;

// The value as YAML writes it: "1s", "64MiB", "\"/run/x\"", and for endpoints a list of lines.
std::string value_text(const ConfigKey& key, const Config& config);
// What is allowed, for people: "50ms … 1min"; empty when the kind says it all.
std::string range_text(const ConfigKey& key);
// A number by which two keys of the same kind compare; 0 for those that have none.
std::uint64_t magnitude(const ConfigKey& key, const Config& config);

}  // namespace compositord::broker
