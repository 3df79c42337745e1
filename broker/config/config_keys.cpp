#include "broker/config/config_keys.h"

#include <fmt/format.h>

#include <array>
#include <type_traits>

#include "broker/config/notifier_reader.h"
#include "broker/config/units.h"
#include "broker/config/yaml_text.h"

namespace compositord::broker {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kKiB = 1U << 10U;
constexpr std::size_t kGiB = 1U << 30U;
constexpr std::size_t kMillion = 1'000'000;

template <auto Member>
auto& top(Config& config) {
  return config.*Member;
}
template <auto Member>
auto& core(Config& config) {
  return config.core.*Member;
}
template <auto Member>
auto& limit(Config& config) {
  return config.core.limits.*Member;
}

template <auto Member>
auto& alerts(Config& config) {
  return config.core.alerts.*Member;
}
template <auto Member>
constexpr DurationField alert_duration(Duration min, Duration max) {
  return DurationField{&alerts<Member>, min, max};
}

template <auto Member>
constexpr CountField count(std::size_t min, std::size_t max) {
  return CountField{&limit<Member>, min, max};
}
template <auto Member>
constexpr BytesField bytes(std::size_t min, std::size_t max) {
  return BytesField{&limit<Member>, min, max};
}
template <auto Member>
constexpr DurationField duration(Duration min, Duration max) {
  return DurationField{&core<Member>, min, max};
}

constexpr std::array<std::string_view, 4> kLogLevels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 4> kLogSinks{"stderr", "file", "journald", "syslog"};
constexpr std::array<std::string_view, 2> kLogFormats{"plain", "json"};

constexpr std::array kKeys{
    ConfigKey{"bus", EndpointsField{&top<&Config::bus>},
              "Where agents, clients and workers connect: one endpoint or a list. ipc:// sockets are made here.", true},
    ConfigKey{"feed", EndpointsField{&top<&Config::feed>}, "Where subscribers connect.", true},
    ConfigKey{"state_dir", DirectoryField{&top<&Config::state_dir>},
              "The directory of the store: manifests and labels that must outlive the broker.", true},
    ConfigKey{"catalogue", FileField{&top<&Config::catalogue>},
              "A JSON file of kinds of compositor that are added to those we ship, or replace them by name."},
    ConfigKey{"log.level", ChoiceField{&core<&BrokerConfig::log_level>, kLogLevels, "level"},
              "The least severity that is logged."},
    ConfigKey{"log.sinks", ChoicesField{&top<&Config::log_sinks>, kLogSinks, "sink"},
              "Where log lines go: a list. \"file\" is the status log.", true},
    ConfigKey{"log.dir", DirectoryField{&top<&Config::log_dir>},
              "The directory of the status log, compositord.log; it is made when it is missing.", true},
    ConfigKey{"log.format", ChoiceField{&top<&Config::log_format>, kLogFormats, "format"},
              "Of the status log: lines for people, or one JSON object a line.", true},
    ConfigKey{"log.rotate_bytes", BytesField{&top<&Config::log_rotate_bytes>, kKiB, 64 * kGiB},
              "A status log that would grow beyond this is renamed to compositord.1.log, and a new one begun.", true},
    ConfigKey{"log.rotate_files", NumberField{&top<&Config::log_rotate_files>, 0, 1'000},
              "So many old status logs are kept.", true},
    ConfigKey{"heartbeat.interval", duration<&BrokerConfig::heartbeat_interval>(milliseconds(50), seconds(60)),
              "What an agent gets that asks for none, and every plain Majordomo worker."},
    ConfigKey{"heartbeat.liveness", NumberField{&core<&BrokerConfig::heartbeat_liveness>, 2, 10},
              "After so many silent intervals a worker is lost."},
    ConfigKey{"heartbeat.disconnect_grace", duration<&BrokerConfig::disconnect_grace>(milliseconds(0), seconds(60)),
              "How long an agent whose connection closed may take to answer before it is lost."},
    ConfigKey{"requests.default_deadline", duration<&BrokerConfig::default_deadline>(milliseconds(1), hours(24)),
              "For a request that names no deadline."},
    ConfigKey{"requests.deadline_max", duration<&BrokerConfig::deadline_max>(milliseconds(1), hours(24)),
              "The longest that a request may name."},
    ConfigKey{"requests.plain_expiry", duration<&BrokerConfig::plain_request_expiry>(milliseconds(1), hours(24)),
              "How long a plain Majordomo request waits for a worker before it is dropped and counted."},
    ConfigKey{"requests.idem_keep", duration<&BrokerConfig::idem_keep>(seconds(1), hours(720)),
              "How long the outcome of a call with an idem key is kept for its repetitions."},
    ConfigKey{"jobs.time_to_live", duration<&BrokerConfig::job_time_to_live>(seconds(1), hours(8760)),
              "Of a queued call that names none."},
    ConfigKey{"jobs.time_to_live_max", duration<&BrokerConfig::job_time_to_live_max>(seconds(1), hours(8760)),
              "The longest that a queued call may name."},
    ConfigKey{"jobs.keep", duration<&BrokerConfig::job_keep>(seconds(1), hours(8760)),
              "How long the result of a queued call is kept."},
    ConfigKey{"store.manifest_revisions", NumberField{&core<&BrokerConfig::manifest_revisions>, 1, 1'000},
              "So many manifests of each compositor are kept, the present one included."},
    ConfigKey{"store.history_days", NumberField{&core<&BrokerConfig::history_days>, 1, 3'650},
              "How long it is kept how each compositor did. compositorctl outages and sla look at it."},
    ConfigKey{"services.rules", ServiceRulesField{&core<&BrokerConfig::services>},
              "What workers get without asking, by patterns of service names (* and ?): the first that matches "
              "applies. As in: "
              "- {match: \"render.*\", credit: 4, idempotent: true}"},
    ConfigKey{"agents.credit", NumberField{&core<&BrokerConfig::agent_credit>, 1, 1'024},
              "Requests outstanding at one agent; plain Majordomo workers have 1."},
    ConfigKey{"alerts.group_wait", alert_duration<&AlertConfig::group_wait>(milliseconds(0), minutes(10)),
              "A lost agent waits that long for others of its site that are silent too, so that all are one alert."},
    ConfigKey{"alerts.group_interval", alert_duration<&AlertConfig::group_interval>(milliseconds(100), hours(1)),
              "How often at most the alert of agents that were lost together tells their number."},
    ConfigKey{"alerts.group_min", NumberField{&alerts<&AlertConfig::group_min>, 2, 10'000},
              "So many agents lost together are one alert."},
    ConfigKey{"alerts.repeat", alert_duration<&AlertConfig::repeat>(seconds(1), hours(24)),
              "How often what fires is published again."},
    ConfigKey{"alerts.return_grace", alert_duration<&AlertConfig::return_grace>(seconds(1), hours(1)),
              "How long an agent that is known from before may take to come back after the broker's start."},
    ConfigKey{"alerts.news_keep", alert_duration<&AlertConfig::news_keep>(seconds(1), hours(24)),
              "How long a new output, or another mode, is told."},
    ConfigKey{"alerts.clock_skew_max", alert_duration<&AlertConfig::clock_skew_max>(seconds(1), hours(24)),
              "By so much an agent's clock may differ from the broker's."},
    ConfigKey{"alerts.history_max", CountField{&alerts<&AlertConfig::history_max>, 100, kMillion},
              "How many alerts that have ended are kept."},
    ConfigKey{"alerts.site_label", TextField{&alerts<&AlertConfig::site_label>},
              "The label whose value names a compositor's site.", true},
    ConfigKey{
        "alerts.rules", AlertRulesField{&alerts<&AlertConfig::rules>},
        "When an alert fires and how severe it is, by patterns of kinds and compositor ids (* and ?): the first that "
        "matches applies. As in: - {kind: compositor_slow, id: \"wall-*\", fail_after: 30s, ok_after: 10s}"},
    ConfigKey{"limits.frames_per_message_max", count<&Limits::frames_per_message_max>(8, 65'536),
              "A message with more frames is dropped and counted.", true},
    ConfigKey{"limits.bytes_per_frame_max", bytes<&Limits::bytes_per_frame_max>(kKiB, kGiB),
              "A peer that sends a longer frame is disconnected.", true},
    ConfigKey{"limits.bytes_per_message_max", bytes<&Limits::bytes_per_message_max>(kKiB, kGiB),
              "Of all frames of a message together.", true},
    ConfigKey{"limits.bytes_per_manifest_max", bytes<&Limits::bytes_per_manifest_max>(kKiB, kGiB),
              "A longer manifest is refused (413)."},
    ConfigKey{"limits.open_requests_per_client_max", count<&Limits::open_requests_per_client_max>(1, kMillion),
              "One client's requests that have no final answer yet; the next is refused (429)."},
    ConfigKey{"limits.open_requests_max", count<&Limits::open_requests_max>(1, 100 * kMillion),
              "The same, of all clients together."},
    ConfigKey{"limits.queued_requests_per_service_max", count<&Limits::queued_requests_per_service_max>(1, kMillion),
              "Requests that wait for a worker of one service."},
    ConfigKey{"limits.queued_bytes_per_service_max", bytes<&Limits::queued_bytes_per_service_max>(kKiB, 64 * kGiB),
              "The bytes of these requests."},
    ConfigKey{"limits.queued_bytes_per_client_max", bytes<&Limits::queued_bytes_per_client_max>(kKiB, 64 * kGiB),
              "The bytes of one client's waiting requests."},
    ConfigKey{"limits.queued_bytes_max", bytes<&Limits::queued_bytes_max>(kKiB, 1'024 * kGiB),
              "The same, over all services."},
    ConfigKey{"limits.services_max", count<&Limits::services_max>(1, 10 * kMillion),
              "Names of services, those of compositors included."},
    ConfigKey{"limits.workers_max", count<&Limits::workers_max>(1, 10 * kMillion),
              "Connected workers, agents included."},
    ConfigKey{"limits.agents_max", count<&Limits::agents_max>(1, 10 * kMillion),
              "Compositors known to the broker, connected or not."},
    ConfigKey{"limits.feed_prefixes_max", count<&Limits::feed_prefixes_max>(1, 10 * kMillion),
              "Different prefixes that subscribers of the feed asked for."},
    ConfigKey{"limits.jobs_max", count<&Limits::jobs_max>(1, kMillion),
              "Queued calls that are kept, with those that ended."},
    ConfigKey{"limits.job_bytes_max", bytes<&Limits::job_bytes_max>(kKiB, 64 * kGiB),
              "The bytes of what they ask and what was answered."},
    ConfigKey{"limits.job_result_bytes_max", bytes<&Limits::job_result_bytes_max>(kKiB, kGiB),
              "A longer answer of a queued call is not kept, only its status."},
    ConfigKey{"limits.idem_calls_max", count<&Limits::idem_calls_max>(1, kMillion),
              "Outcomes that are kept for repeated calls; the oldest go first."},
    ConfigKey{"limits.idem_bytes_max", bytes<&Limits::idem_bytes_max>(kKiB, 64 * kGiB), "The bytes of these outcomes."},
    ConfigKey{"limits.group_calls_max", count<&Limits::group_calls_max>(1, kMillion),
              "Group calls that are under way."},
    ConfigKey{"limits.group_targets_max", count<&Limits::group_targets_max>(1, kMillion),
              "Compositors that one group call may reach."},
    ConfigKey{"limits.status_changes_max", count<&Limits::status_changes_max>(1'000, 100 * kMillion),
              "Changes of status that are kept, of all compositors; the oldest go first."},
    ConfigKey{"notify", NotifiersField{&top<&Config::notify>},
              "Who is told of alerts: a list, see compositord.yaml(5). "
              "As in: - {name: pager, kind: exec, severity: critical, command: [/usr/local/bin/page]}"},
};

constexpr std::size_t limit_keys() {
  std::size_t n = 0;
  for (const ConfigKey& key : kKeys) n += key.path.starts_with("limits.") ? 1U : 0U;
  return n;
}
static_assert(sizeof(Limits) == limit_keys() * sizeof(std::size_t), "a limit of broker/core has no key here");

constexpr std::array kOrders{
    ConfigOrder{"requests.default_deadline", "requests.deadline_max"},
    ConfigOrder{"jobs.time_to_live", "jobs.time_to_live_max"},
    ConfigOrder{"limits.bytes_per_frame_max", "limits.bytes_per_message_max"},
    ConfigOrder{"limits.bytes_per_manifest_max", "limits.bytes_per_frame_max"},
    ConfigOrder{"limits.open_requests_per_client_max", "limits.open_requests_max"},
    ConfigOrder{"limits.queued_bytes_per_service_max", "limits.queued_bytes_max"},
    ConfigOrder{"limits.queued_bytes_per_client_max", "limits.queued_bytes_max"},
    ConfigOrder{"limits.agents_max", "limits.services_max"},
    ConfigOrder{"limits.agents_max", "limits.workers_max"},
};

std::string rule_text(const ServiceRule& rule) {
  std::string text = "{match: " + yaml_string(rule.match);
  if (rule.credit) text += fmt::format(", credit: {}", *rule.credit);
  if (rule.idempotent) text += fmt::format(", idempotent: {}", *rule.idempotent);
  return text + "}";
}

std::string rule_text(const AlertRule& rule) {
  std::string text = "{kind: " + yaml_string(rule.kind) + ", id: " + yaml_string(rule.id);
  if (rule.fail_after > Duration{}) text += ", fail_after: " + format_duration(rule.fail_after);
  if (rule.ok_after > Duration{}) text += ", ok_after: " + format_duration(rule.ok_after);
  if (rule.severity) text += fmt::format(", severity: {}", msg::name_of(*rule.severity));
  if (!rule.enabled) text += ", enabled: false";
  return text + "}";
}

struct ValueText {
  Config& config;
  std::string operator()(const EndpointsField& f) const {
    std::string list;
    for (const std::string& endpoint : f.in(config)) list += "\n- " + yaml_string(endpoint);
    return list;
  }
  std::string operator()(const DirectoryField& f) const { return yaml_string(f.in(config).string()); }
  std::string operator()(const ChoiceField& f) const { return f.in(config); }
  std::string operator()(const ChoicesField& f) const { return fmt::format("[{}]", fmt::join(f.in(config), ", ")); }
  std::string operator()(const FileField& f) const { return yaml_string(f.in(config).string()); }
  std::string operator()(const DurationField& f) const { return format_duration(f.in(config)); }
  std::string operator()(const NumberField& f) const { return fmt::format("{}", f.in(config)); }
  std::string operator()(const CountField& f) const { return fmt::format("{}", f.in(config)); }
  std::string operator()(const BytesField& f) const { return format_bytes(f.in(config)); }
  std::string operator()(const NotifiersField& f) const {
    std::string list;
    for (const NotifierConfig& notifier : f.in(config)) list += "\n- " + notifier_text(notifier);
    return list.empty() ? "[]" : list;
  }
  std::string operator()(const TextField& f) const { return yaml_string(f.in(config)); }
  std::string operator()(const AlertRulesField& f) const {
    std::string list;
    for (const AlertRule& rule : f.in(config)) list += "\n- " + rule_text(rule);
    return list.empty() ? "[]" : list;
  }
  std::string operator()(const ServiceRulesField& f) const {
    std::string list;
    for (const ServiceRule& rule : f.in(config)) list += "\n- " + rule_text(rule);
    return list.empty() ? "[]" : list;
  }
};

struct RangeText {
  std::string operator()(const EndpointsField&) const { return "tcp:// or ipc://"; }
  std::string operator()(const DirectoryField&) const { return {}; }
  std::string operator()(const ChoiceField& f) const { return fmt::format("{}", fmt::join(f.words, ", ")); }
  std::string operator()(const ChoicesField& f) const { return fmt::format("{}", fmt::join(f.words, ", ")); }
  std::string operator()(const FileField&) const { return {}; }
  std::string operator()(const DurationField& f) const {
    return format_duration(f.min) + " … " + format_duration(f.max);
  }
  std::string operator()(const NumberField& f) const { return fmt::format("{} … {}", f.min, f.max); }
  std::string operator()(const CountField& f) const { return fmt::format("{} … {}", f.min, f.max); }
  std::string operator()(const BytesField& f) const { return format_bytes(f.min) + " … " + format_bytes(f.max); }
  std::string operator()(const NotifiersField&) const { return fmt::format("{}", fmt::join(kNotifierKinds, ", ")); }
  std::string operator()(const TextField&) const { return {}; }
  std::string operator()(const AlertRulesField&) const {
    return "kind; id; fail_after, ok_after: 0ms … 24h; severity: info, warning, critical; enabled: true or false";
  }
  std::string operator()(const ServiceRulesField&) const {
    return fmt::format("match; credit: {} … {}; idempotent: true or false", kRuleCreditMin, kRuleCreditMax);
  }
};

struct Magnitude {
  Config& config;
  std::uint64_t operator()(const EndpointsField&) const { return 0; }
  std::uint64_t operator()(const DirectoryField&) const { return 0; }
  std::uint64_t operator()(const ChoiceField&) const { return 0; }
  std::uint64_t operator()(const ChoicesField&) const { return 0; }
  std::uint64_t operator()(const FileField&) const { return 0; }
  std::uint64_t operator()(const DurationField& f) const { return static_cast<std::uint64_t>(f.in(config).count()); }
  std::uint64_t operator()(const NumberField& f) const { return static_cast<std::uint64_t>(f.in(config)); }
  std::uint64_t operator()(const CountField& f) const { return f.in(config); }
  std::uint64_t operator()(const BytesField& f) const { return f.in(config); }
  std::uint64_t operator()(const TextField&) const { return 0; }
  std::uint64_t operator()(const AlertRulesField&) const { return 0; }
  std::uint64_t operator()(const ServiceRulesField&) const { return 0; }
  std::uint64_t operator()(const NotifiersField&) const { return 0; }
};

}  // namespace

std::string_view ConfigKey::section() const noexcept {
  const std::size_t dot = path.find('.');
  return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}
std::string_view ConfigKey::name() const noexcept {
  return path.substr(path.find('.') + 1);  // npos + 1 is 0
}

std::span<const ConfigKey> config_keys() noexcept { return kKeys; }
std::span<const ConfigOrder> config_orders() noexcept { return kOrders; }

std::string value_text(const ConfigKey& key, const Config& config) {
  Config copy = config;  // the table gives places to write to
  return std::visit(ValueText{copy}, key.field);
}
std::string range_text(const ConfigKey& key) { return std::visit(RangeText{}, key.field); }
std::uint64_t magnitude(const ConfigKey& key, const Config& config) {
  Config copy = config;
  return std::visit(Magnitude{copy}, key.field);
}

}  // namespace compositord::broker
