#include "broker/config/config_keys.h"

#include <fmt/format.h>

#include <array>
#include <type_traits>

#include "broker/config/units.h"

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

constexpr std::array kKeys{
    ConfigKey{"bus", EndpointsField{&top<&Config::bus>},
              "Where agents, clients and workers connect: one endpoint or a list. ipc:// sockets are made here."},
    ConfigKey{"feed", EndpointsField{&top<&Config::feed>}, "Where subscribers connect."},
    ConfigKey{"state_dir", DirectoryField{&top<&Config::state_dir>},
              "The directory of the store: manifests and labels that must outlive the broker."},
    ConfigKey{"log.level", LogLevelField{&top<&Config::log_level>}, "The least severity that is logged."},
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
    ConfigKey{"services.rules", ServiceRulesField{&core<&BrokerConfig::services>},
              "What workers get without asking, by patterns of service names (* and ?): the first that matches "
              "applies. As in: "
              "- {match: \"render.*\", credit: 4, idempotent: true}"},
    ConfigKey{"agents.credit", NumberField{&core<&BrokerConfig::agent_credit>, 1, 1'024},
              "Requests outstanding at one agent; plain Majordomo workers have 1."},
    ConfigKey{"limits.frames_per_message_max", count<&Limits::frames_per_message_max>(8, 65'536),
              "A message with more frames is dropped and counted."},
    ConfigKey{"limits.bytes_per_frame_max", bytes<&Limits::bytes_per_frame_max>(kKiB, kGiB),
              "A peer that sends a longer frame is disconnected."},
    ConfigKey{"limits.bytes_per_message_max", bytes<&Limits::bytes_per_message_max>(kKiB, kGiB),
              "Of all frames of a message together."},
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
};

constexpr std::size_t limit_keys() {
  std::size_t n = 0;
  for (const ConfigKey& key : kKeys) n += key.path.starts_with("limits.") ? 1U : 0U;
  return n;
}
static_assert(sizeof(Limits) == limit_keys() * sizeof(std::size_t), "a limit of broker/core has no key here");

constexpr std::array<std::string_view, 4> kLogLevels{"debug", "info", "warning", "error"};

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

// A YAML string that is read back as it is.
std::string yaml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string rule_text(const ServiceRule& rule) {
  std::string text = "{match: " + yaml_string(rule.match);
  if (rule.credit) text += fmt::format(", credit: {}", *rule.credit);
  if (rule.idempotent) text += fmt::format(", idempotent: {}", *rule.idempotent);
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
  std::string operator()(const LogLevelField& f) const { return f.in(config); }
  std::string operator()(const DurationField& f) const { return format_duration(f.in(config)); }
  std::string operator()(const NumberField& f) const { return fmt::format("{}", f.in(config)); }
  std::string operator()(const CountField& f) const { return fmt::format("{}", f.in(config)); }
  std::string operator()(const BytesField& f) const { return format_bytes(f.in(config)); }
  std::string operator()(const ServiceRulesField& f) const {
    std::string list;
    for (const ServiceRule& rule : f.in(config)) list += "\n- " + rule_text(rule);
    return list.empty() ? "[]" : list;
  }
};

struct RangeText {
  std::string operator()(const EndpointsField&) const { return "tcp://, ipc:// or inproc://"; }
  std::string operator()(const DirectoryField&) const { return {}; }
  std::string operator()(const LogLevelField&) const { return fmt::format("{}", fmt::join(kLogLevels, ", ")); }
  std::string operator()(const DurationField& f) const {
    return format_duration(f.min) + " … " + format_duration(f.max);
  }
  std::string operator()(const NumberField& f) const { return fmt::format("{} … {}", f.min, f.max); }
  std::string operator()(const CountField& f) const { return fmt::format("{} … {}", f.min, f.max); }
  std::string operator()(const BytesField& f) const { return format_bytes(f.min) + " … " + format_bytes(f.max); }
  std::string operator()(const ServiceRulesField&) const {
    return fmt::format("match; credit: {} … {}; idempotent: true or false", kRuleCreditMin, kRuleCreditMax);
  }
};

struct Magnitude {
  Config& config;
  std::uint64_t operator()(const EndpointsField&) const { return 0; }
  std::uint64_t operator()(const DirectoryField&) const { return 0; }
  std::uint64_t operator()(const LogLevelField&) const { return 0; }
  std::uint64_t operator()(const DurationField& f) const { return static_cast<std::uint64_t>(f.in(config).count()); }
  std::uint64_t operator()(const NumberField& f) const { return static_cast<std::uint64_t>(f.in(config)); }
  std::uint64_t operator()(const CountField& f) const { return f.in(config); }
  std::uint64_t operator()(const BytesField& f) const { return f.in(config); }
  std::uint64_t operator()(const ServiceRulesField&) const { return 0; }
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
std::span<const std::string_view> log_levels() noexcept { return kLogLevels; }
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
