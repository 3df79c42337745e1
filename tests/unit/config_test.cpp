// The configuration file: its defaults, its faults and how they are shown.
#include "broker/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "broker/config/config_keys.h"
#include "broker/config/config_update.h"
#include "broker/config/diagnostics.h"
#include "broker/config/endpoint.h"
#include "broker/config/units.h"
#include "tests/support/temp_dir.h"

namespace compositord::broker {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Environment root() {
  Environment environment;
  environment.is_root = true;
  return environment;
}
Environment user() {
  Environment environment;
  environment.xdg_runtime_dir = "/run/user/1000";
  environment.home = "/home/ann";
  return environment;
}

Config defaults(const Environment& environment = root()) {
  auto config = default_config(environment);
  EXPECT_TRUE(config.has_value()) << config.error().text;
  return config ? std::move(*config) : Config{};
}

Config read_ok(const std::string& text, const Environment& environment = root()) {
  auto config = parse_config(text, "compositord.yaml", environment);
  EXPECT_TRUE(config.has_value()) << config.error().text << "\nin\n" << text;
  return config ? std::move(*config) : Config{};
}

std::string fault(const std::string& text, const Environment& environment = root()) {
  const auto config = parse_config(text, "compositord.yaml", environment);
  EXPECT_FALSE(config.has_value()) << "nothing is said against\n" << text;
  if (config) return {};
  EXPECT_EQ(config.error().status, Status::kMalformed);
  return config.error().text;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

#define EXPECT_FAULT(text, part) EXPECT_PRED2(holds, fault(text), part)

bool same(const ConfigKey& key, Config& a, Config& b) {
  return std::visit([&](const auto& field) { return field.in(a) == field.in(b); }, key.field);
}

// By value and not by their texts, so that the writer can't hide what it loses.
void expect_same(Config a, Config b) {
  for (const ConfigKey& key : config_keys()) {
    EXPECT_TRUE(same(key, a, b)) << key.path << ": " << value_text(key, a) << " and " << value_text(key, b);
  }
}

TEST(Config, AnEmptyFileGivesTheDefaults) {
  for (const std::string text : {"", "\n", "# only a comment\n", "---\n", "heartbeat:\nlimits:\n"})
    expect_same(read_ok(text), defaults());
  const Config config = defaults();
  EXPECT_EQ(config.bus, (std::vector<std::string>{"tcp://127.0.0.1:7755", "ipc:///run/compositord/bus"}));
  EXPECT_EQ(config.feed, (std::vector<std::string>{"tcp://127.0.0.1:7756", "ipc:///run/compositord/feed"}));
  EXPECT_EQ(config.state_dir, "/var/lib/compositord");
  EXPECT_EQ(config.core.log_level, "info");
}

TEST(Config, EveryKeyIsRead) {
  const Config config = read_ok(R"(
bus: tcp://*:1000
feed: [tcp://*:*, "ipc:///run/x/feed", "ipc://@feed"]
state_dir: /srv/state
log: {level: debug}
heartbeat:
  interval: 500ms
  liveness: 5
  disconnect_grace: 1 s
requests: {default_deadline: 2min, deadline_max: 3h, plain_expiry: 90s}
agents: {credit: 64}
limits:
  bytes_per_frame_max: 1MiB
  agents_max: 7
)");
  EXPECT_EQ(config.bus, (std::vector<std::string>{"tcp://*:1000"}));
  EXPECT_EQ(config.feed, (std::vector<std::string>{"tcp://*:*", "ipc:///run/x/feed", "ipc://@feed"}));
  EXPECT_EQ(config.state_dir, "/srv/state");
  EXPECT_EQ(config.core.log_level, "debug");
  EXPECT_EQ(config.core.heartbeat_interval, milliseconds(500));
  EXPECT_EQ(config.core.heartbeat_liveness, 5);
  EXPECT_EQ(config.core.disconnect_grace, seconds(1));
  EXPECT_EQ(config.core.default_deadline, minutes(2));
  EXPECT_EQ(config.core.deadline_max, hours(3));
  EXPECT_EQ(config.core.plain_request_expiry, seconds(90));
  EXPECT_EQ(config.core.agent_credit, 64);
  EXPECT_EQ(config.core.limits.bytes_per_frame_max, 1U << 20U);
  EXPECT_EQ(config.core.limits.agents_max, 7U);
  EXPECT_EQ(config.core.limits.workers_max, Limits{}.workers_max);
}

// With no default in it.
NotifierConfig all_of_a_notifier(NotifierKind kind) {
  NotifierConfig n;
  n.name = std::string(kNotifierKinds[static_cast<std::size_t>(kind)]) + ".1";
  n.kind = kind;
  n.severities = {"critical", "warning"};
  n.resolved = false;
  n.subjects = {"a \"b\\*", "?"};
  n.labels = {{"a \"b\\", "*"}, {"site", "ber: {lin}"}};
  n.timeout = milliseconds(100);
  n.attempts = 1;
  n.backoff = milliseconds(7);
  n.give_up_after = hours(24);
  n.queue_max = 1;
  if (kind == NotifierKind::kWebhook) {
    n.url = "https://ann:x@[::1]:8443/a?b=\"c\"";
    n.body = "{\"text\":\n\t\"{{title}}\"}";
    n.headers = {{"X-Team", "a: \"b\""}, {"X-Two", "2"}};
    n.headers_file = "/etc/a b";
    n.redirects = 0;
  } else if (kind == NotifierKind::kExec) {
    n.command = {"/bin/a \"b", "", "--c={d}"};
  } else {
    n.bus = "unix:path=/run/user/1000/bus";
  }
  return n;
}

// The least value that a key may have, or another one than the default for those without a range.
struct ToMinimum {
  Config& config;
  void operator()(const EndpointsField& f) const { f.in(config) = {"tcp://[::1]:1", "ipc://@a \"name\"\\"}; }
  void operator()(const DirectoryField& f) const { f.in(config) = "/srv/a \"dir\"\\ #: wände"; }
  void operator()(const ChoiceField& f) const { f.in(config) = f.words.back(); }
  void operator()(const ChoicesField& f) const { f.in(config) = {}; }
  void operator()(const FileField& f) const { f.in(config) = "/srv/a \"file\"\\ #"; }
  void operator()(const ServiceRulesField& f) const { f.in(config) = {{"a \"b\\*", 1, {}}, {"?", {}, false}}; }
  void operator()(const NotifiersField& f) const { f.in(config) = {all_of_a_notifier(NotifierKind::kWebhook)}; }
  void operator()(const TextField& f) const { f.in(config) = "a \"label\\"; }
  void operator()(const AlertRulesField& f) const {
    f.in(config) = {{"output_*", "a \"b\\*", std::chrono::seconds(1), {}, msg::AlertSeverity::kCritical, true},
                    {"crash_loop", "?", {}, std::chrono::hours(24), {}, false}};
  }
  template <class Field>
  void operator()(const Field& f) const {
    f.in(config) = f.min;
  }
};
struct ToMaximum {
  Config& config;
  void operator()(const EndpointsField& f) const { f.in(config) = {"ipc:///x"}; }
  void operator()(const DirectoryField& f) const { f.in(config) = "/"; }
  void operator()(const ChoiceField& f) const { f.in(config) = f.words.front(); }
  void operator()(const ChoicesField& f) const { f.in(config).assign(f.words.begin(), f.words.end()); }
  void operator()(const FileField& f) const { f.in(config) = "/x.json"; }
  void operator()(const ServiceRulesField& f) const { f.in(config) = {{"*", 1'024, true}}; }
  void operator()(const NotifiersField& f) const {
    f.in(config) = {all_of_a_notifier(NotifierKind::kExec), all_of_a_notifier(NotifierKind::kDesktop)};
  }
  void operator()(const TextField& f) const { f.in(config) = "x"; }
  void operator()(const AlertRulesField& f) const { f.in(config) = {AlertRule{}}; }
  template <class Field>
  void operator()(const Field& f) const {
    f.in(config) = f.max;
  }
};

TEST(Config, AnAlertRuleThatCanNotBeIsShownWhereItIs) {
  const Environment environment;
  const auto fault = [&](const std::string& rule) {
    const auto config =
        parse_config("bus: tcp://127.0.0.1:1\nfeed: tcp://127.0.0.1:2\nalerts:\n  rules:\n  - " + rule + "\n", "x.yaml",
                     environment);
    return config ? std::string() : config.error().text;
  };
  EXPECT_EQ(fault("{kind: output_off, fail_after: 30s, severity: critical, enabled: false}"), "");
  EXPECT_THAT(fault("{kind: output_of}"),
              testing::AllOf(testing::HasSubstr("x.yaml:5:"), testing::HasSubstr("did you mean \"output_off\"?")));
  EXPECT_THAT(fault("{kinds: output_off}"), testing::HasSubstr("did you mean \"kind\"?"));
  EXPECT_THAT(fault("{severity: warnin}"), testing::HasSubstr("did you mean \"warning\"?"));
  EXPECT_THAT(fault("{fail_after: 25h}"), testing::HasSubstr("at most 24h"));
  EXPECT_THAT(fault("{enabled: yes please}"), testing::HasSubstr("true or false"));
  EXPECT_THAT(fault("7"), testing::HasSubstr("a rule is a map"));
}

TEST(Config, AReloadTakesEachKeyOrNamesItAsOneThatNeedsARestart) {
  for (const ConfigKey& key : config_keys()) {
    Config wanted = defaults();
    std::visit(ToMinimum{wanted}, key.field);
    const ConfigUpdate update = update_config(defaults(), wanted);
    const std::vector<std::string> names{std::string(key.path)};
    EXPECT_EQ(update.applied, key.needs_restart ? std::vector<std::string>{} : names) << key.path;
    EXPECT_EQ(update.restart, key.needs_restart ? names : std::vector<std::string>{}) << key.path;
    expect_same(update.config, key.needs_restart ? defaults() : wanted);
  }
  EXPECT_TRUE(update_config(defaults(), defaults()).applied.empty());
}

// Two keys that led to the same member would show here.
TEST(Config, EachKeySetsItsOwnMemberAndNoOther) {
  for (const ConfigKey& changed : config_keys()) {
    Config config = defaults();
    Config other = defaults();
    std::visit(ToMinimum{config}, changed.field);
    for (const ConfigKey& key : config_keys())
      EXPECT_EQ(same(key, config, other), key.path != changed.path) << changed.path << " and " << key.path;
  }
}

// Rules between two keys can't hold with one at its end, so all are moved together.
TEST(Config, WhatIsWrittenIsReadBack) {
  expect_same(read_ok(to_yaml(defaults())), defaults());
  expect_same(read_ok(to_yaml(defaults(user()))), defaults(user()));
  Config least = defaults();
  for (const ConfigKey& key : config_keys()) std::visit(ToMinimum{least}, key.field);
  least.feed = {"tcp://*:2"};
  expect_same(read_ok(to_yaml(least)), least);
  Config most = defaults();
  for (const ConfigKey& key : config_keys()) std::visit(ToMaximum{most}, key.field);
  most.feed = {"ipc:///y"};
  expect_same(read_ok(to_yaml(most)), most);
}

TEST(Config, ValuesJustOutsideTheirRangeAreRefused) {
  EXPECT_FAULT("heartbeat: {interval: 49ms}", "\"heartbeat.interval\" is out of range: 49ms");
  EXPECT_FAULT("heartbeat: {interval: 61s}", "allowed: 50ms … 1min");
  EXPECT_FAULT("heartbeat: {liveness: 1}", "\"heartbeat.liveness\" is out of range: 1");
  EXPECT_FAULT("heartbeat: {liveness: 11}", "allowed: 2 … 10");
  EXPECT_FAULT("heartbeat: {liveness: -3}", "out of range");
  EXPECT_FAULT("agents: {credit: 0}", "out of range");
  EXPECT_FAULT("limits: {agents_max: 99999999999999999999}", "out of range");
  EXPECT_FAULT("limits: {bytes_per_frame_max: 1023B}", "out of range");
  EXPECT_FAULT("limits: {bytes_per_frame_max: 99999999999GiB}", "too large");
  EXPECT_FAULT("heartbeat: {interval: 99999999999999h}", "too large");
}

TEST(Config, WhereTheLogGoesIsRead) {
  const Config config = read_ok(
      "log:\n  sinks: [file, journald]\n  dir: /srv/log\n  format: json\n  rotate_bytes: 1MiB\n  rotate_files: 0\n");
  EXPECT_EQ(config.log_sinks, (std::vector<std::string>{"file", "journald"}));
  EXPECT_EQ(config.log_dir, "/srv/log");
  EXPECT_EQ(config.log_format, "json");
  EXPECT_EQ(config.log_rotate_bytes, 1U << 20U);
  EXPECT_EQ(config.log_rotate_files, 0);
  EXPECT_FAULT("log: {sinks: [stderr, journal]}", "did you mean \"journald\"?");
  EXPECT_FAULT("log: {sinks: [file, file]}", "\"file\" is there twice in \"log.sinks\"");
  EXPECT_FAULT("log: {sinks: file}", "\"log.sinks\" is a list");
  EXPECT_FAULT("log: {format: xml}", "allowed: plain, json");
}

TEST(Config, ServiceRulesAreRead) {
  const Config config = read_ok(
      "services:\n  rules:\n    - match: \"render.*\"\n      credit: 4\n      idempotent: true\n"
      "    - {match: '*', idempotent: false}\n");
  EXPECT_EQ(config.core.services, (std::vector<ServiceRule>{{"render.*", 4, true}, {"*", {}, false}}));
  EXPECT_TRUE(read_ok("services: {rules: []}").core.services.empty());
  EXPECT_FAULT("services: {rules: {match: a}}", "\"services.rules\" is a list of rules, not a section");
  EXPECT_FAULT("services: {rules: [a]}", "a rule is a map, not a single value");
  EXPECT_FAULT("services: {rules: [{credit: 4}]}", "a rule needs \"match\"");
  EXPECT_FAULT("services: {rules: [{match: a, credit: 0}]}", "\"credit\" is a whole number 1 … 1024");
  EXPECT_FAULT("services: {rules: [{match: a, credit: many}]}", "\"credit\" is a whole number");
  EXPECT_FAULT("services: {rules: [{match: a, idempotent: maybe}]}", "\"idempotent\" of a rule can't be this");
  EXPECT_FAULT("services: {rules: [{match: a, idempotnt: true}]}", "did you mean \"idempotent\"?");
}

TEST(Config, WrongTypesAreRefused) {
  EXPECT_FAULT("just text", "a configuration is a section with keys, not a single value");
  EXPECT_FAULT("- a\n- b\n", "a configuration is a section with keys, not a list");
  EXPECT_FAULT("heartbeat: 1s", "\"heartbeat\" is a section with keys, not a single value");
  EXPECT_FAULT("heartbeat: {interval: [1s]}", "\"heartbeat.interval\" is a duration, not a list");
  EXPECT_FAULT("heartbeat: {liveness: \"3\"}", "\"heartbeat.liveness\" is a whole number; \"3\" in quotes is text");
  EXPECT_FAULT("heartbeat: {liveness: 3.0}", "\"3.0\" is none");
  EXPECT_FAULT("heartbeat: {liveness: three}", "\"three\" is none");
  EXPECT_FAULT("heartbeat: {liveness: }", "\"heartbeat.liveness\" has no value");
  EXPECT_FAULT("bus:", "\"bus\" has no value");
  EXPECT_FAULT("bus: {a: 1}", "\"bus\" is an endpoint or a list of endpoints, not a section");
  EXPECT_FAULT("bus: [[tcp://*:1]]", "not a list");
  EXPECT_FAULT("bus: []", "\"bus\" needs at least one endpoint");
  EXPECT_FAULT("state_dir: relative/path", "begins with a slash");
  EXPECT_FAULT("[a, b]: 1", "a key is a word, not a list");
}

TEST(Config, DurationsAndSizesNeedAUnit) {
  EXPECT_FAULT("heartbeat: {interval: 5}", "\"5\" needs a unit: ms, s, min or h");
  EXPECT_FAULT("heartbeat: {interval: 1.5s}", "\"1.5s\" is not a whole number with a unit");
  EXPECT_FAULT("heartbeat: {interval: 5 sec}", "\"5 sec\" is not a whole number with a unit");
  EXPECT_FAULT("heartbeat: {interval: -5s}", "not a whole number");
  EXPECT_FAULT("limits: {bytes_per_frame_max: 4096}", "\"4096\" needs a unit: B, KiB, MiB or GiB");
  EXPECT_FAULT("limits: {bytes_per_frame_max: 4MB}", "\"4MB\" is not a whole number with a unit (B, KiB, MiB or GiB)");
  EXPECT_FAULT("limits: {bytes_per_frame_max: \"\"}", "not a whole number");
}

TEST(Config, AnUnknownKeyIsShownWithACaretAndTheNearestKey) {
  EXPECT_EQ(fault("# line 1\n\n\n\n\nlog:\n  levle: info\n"),
            "compositord.yaml:7:3: unknown key \"levle\"\n"
            "    7 |   levle: info\n"
            "      |   ^\n"
            "  did you mean \"level\"?");
  EXPECT_EQ(fault("heartbeet: 1s\n"),
            "compositord.yaml:1:1: unknown key \"heartbeet\"\n"
            "    1 | heartbeet: 1s\n"
            "      | ^\n"
            "  did you mean \"heartbeat\"?");
  EXPECT_EQ(fault("heartbeat:\n  colour: red\n"),
            "compositord.yaml:2:3: unknown key \"colour\"\n"
            "    2 |   colour: red\n"
            "      |   ^\n"
            "  allowed here: interval, liveness, disconnect_grace");
}

TEST(Config, ARightWordInTheWrongPlaceIsSentToItsOwn) {
  EXPECT_FAULT("interval: 1s", "did you mean \"heartbeat.interval\"?");
  EXPECT_FAULT("heartbeat.interval: 1s", "write \"heartbeat:\" and below it, indented, \"interval:\"");
  EXPECT_FAULT("heartbeat: {agents_max: 3}", "did you mean \"limits.agents_max\"?");
  EXPECT_FAULT("log: {level: inof}", "did you mean \"info\"?");
  EXPECT_FAULT("log: {level: loudest}", "allowed: debug, info, warning, error");
}

TEST(Config, AKeyThatIsThereTwiceIsRefused) {
  EXPECT_FAULT("log: {level: info}\nlog: {level: debug}\n", "compositord.yaml:2:1: the key \"log\" is there twice");
  EXPECT_FAULT("heartbeat:\n  liveness: 3\n  liveness: 3\n",
               "compositord.yaml:3:3: the key \"liveness\" is there twice");
}

// The first one is found last: it lies between two keys.
TEST(Config, AllFaultsAreReportedInTheOrderOfTheFile) {
  const std::string text = fault(
      "requests: {default_deadline: 2h}\nheartbeat:\n  interval: 5\n  livenes: 4\n"
      "bus: udp://*:1\nlimits:\n  agents_max: many\n");
  std::vector<std::string> heads;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("compositord.yaml:")) heads.push_back(line.substr(0, line.find(": ")));
  }
  const std::vector<std::string> expected{"compositord.yaml:1:12", "compositord.yaml:3:13", "compositord.yaml:4:3",
                                          "compositord.yaml:5:6", "compositord.yaml:7:15"};
  EXPECT_EQ(heads, expected) << text;
}

TEST(Config, BadYamlIsShownWhereItIs) {
  const std::string text = fault("heartbeat:\n  interval: [1s\nlog: x\n");
  EXPECT_TRUE(text.starts_with("compositord.yaml:")) << text;
  EXPECT_PRED2(holds, text, "this is no valid YAML: ");
  EXPECT_PRED2(holds, text, "^");
  EXPECT_FAULT("a: b: c", "compositord.yaml:1:5: this is no valid YAML");
  EXPECT_FAULT("log: *nowhere", "no valid YAML");
  EXPECT_FAULT("log: {level: info}\n---\nlog: {level: info}\n", "a second document");
}

TEST(Config, NestingAndUnfoldingAreBounded) {
  EXPECT_FAULT(std::string(20, '['), "no valid YAML");
  EXPECT_FAULT("log: " + std::string(20, '[') + std::string(20, ']'), "nested deeper than 8 levels");
  EXPECT_FAULT("log: " + std::string(100'000, '['), "no valid YAML");
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'g'; ++c) {
    const std::string previous = "*" + std::string(1, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + c + " [" + previous;
    for (int i = 0; i < 9; ++i) bomb += "," + previous;
    bomb += "]\n";
  }
  EXPECT_FAULT(bomb, "more than 10000 values");
  std::string many;
  for (int i = 0; i < 200; ++i) many += "key" + std::to_string(i) + ": 1\n";
  EXPECT_FAULT(many, "… and 150 more");
}

TEST(Config, ALineFromTheFileCannotSpeakToTheTerminal) {
  const std::string text = fault("\"k\\e[2J\": 1\n");
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_PRED2(holds, text, "unknown key \"k\\x1b[2J\"");
  EXPECT_PRED2(holds, fault("log: {\"wände\": 1, levle: 2}"),
               "compositord.yaml:1:19: unknown key \"levle\"\n"
               "    1 | log: {\"wände\": 1, levle: 2}\n"
               "      |                   ^\n");
}

TEST(Config, RulesBetweenKeysAreCheckedAgainstDefaultsToo) {
  EXPECT_FAULT("requests: {default_deadline: 2h}",
               "\"requests.default_deadline\" (2h) must not be greater than \"requests.deadline_max\" (1h)");
  EXPECT_FAULT("requests: {deadline_max: 5s}",
               "compositord.yaml:1:12: \"requests.default_deadline\" (10s) must not be");
  EXPECT_FAULT("limits: {bytes_per_manifest_max: 9MiB}", "\"limits.bytes_per_frame_max\" (8MiB)");
  EXPECT_FAULT("limits: {agents_max: 150000}", "\"limits.services_max\" (100000)");
  EXPECT_FAULT("heartbeat: {disconnect_grace: 4s}", "longer than the silence after which a worker is lost anyway");
  read_ok("heartbeat: {disconnect_grace: 3s}");
  read_ok("requests: {default_deadline: 1h}");
}

TEST(Config, OneEndpointIsNotBoundTwice) {
  EXPECT_FAULT("bus: [tcp://*:1, tcp://*:1]", "compositord.yaml:1:18: the endpoint \"tcp://*:1\" is there twice");
  EXPECT_FAULT("bus: tcp://*:1\nfeed: tcp://*:1\n", "compositord.yaml:2:7:");
  EXPECT_FAULT("bus: tcp://127.0.0.1:7756", "compositord.yaml:1:6:");
  read_ok("bus: tcp://127.0.0.1:*\nfeed: tcp://127.0.0.1:*\n");
}

TEST(Endpoint, WhatCanBeBoundAndWhatNot) {
  for (const char* good :
       {"tcp://127.0.0.1:7755", "tcp://*:*", "tcp://*:0", "tcp://eth0:1", "tcp://[::1]:65535", "tcp://[fe80::1%eth0]:5",
        "ipc:///run/x/bus", "ipc://@abstract", "ipc://*", "tcp://wall-3.example.org:1"}) {
    EXPECT_EQ(endpoint_fault(good), "") << good;
  }
  const std::vector<std::pair<std::string, std::string>> bad{
      {"", "begins with tcp:// or ipc://"},
      {"udp://1.2.3.4:5", "begins with"},
      {"TCP://*:1", "begins with"},
      {"tcp://127.0.0.1", "has no port: write tcp://127.0.0.1:7755"},
      {"tcp://[::1]", "has no port"},
      {"tcp://127.0.0.1:", "\"\" is no port"},
      {"tcp://127.0.0.1:65536", "\"65536\" is no port"},
      {"tcp://127.0.0.1:+1", "\"+1\" is no port"},
      {"tcp://127.0.0.1:80x", "\"80x\" is no port"},
      {"tcp://:7755", "has no address"},
      {"tcp://::1:7755", "in brackets: tcp://[::1]:7755"},
      {"tcp://[::1:7755", "not closed"},
      {"tcp://[::1]x:7755", "only a colon"},
      {"tcp://1.2.3.4/5:7755", "no slash"},
      {"tcp://a b:1", "no blanks"},
      {"ipc://", "has no path"},
      {"ipc://run/x", "begin with a slash"},
      {"ipc:///run/x/", "ends in a slash"},
      {"ipc://@", "has a name"},
      {"ipc:///" + std::string(107, 'x'), "its path has 108 bytes, and a socket's path may have 107"},
      {"inproc://feed", "begins with tcp:// or ipc://"}};
  for (const auto& one : bad) EXPECT_PRED2(holds, endpoint_fault(one.first), one.second) << one.first;
  EXPECT_EQ(endpoint_fault("ipc:///" + std::string(106, 'x')), "");
}

TEST(Environment, RuntimeDirectory) {
  Environment e;
  EXPECT_EQ(runtime_dir(e), "");
  e.xdg_runtime_dir = "relative";
  EXPECT_EQ(runtime_dir(e), "");
  e.xdg_runtime_dir = "/run/user/7";
  EXPECT_EQ(runtime_dir(e), "/run/user/7/compositord");
  e.is_root = true;
  EXPECT_EQ(runtime_dir(e), "/run/compositord");
  e.runtime_directory = "/run/wall:/run/second";
  EXPECT_EQ(runtime_dir(e), "/run/wall");
}

TEST(Environment, StateDirectory) {
  Environment e;
  EXPECT_EQ(default_state_dir(e), "");
  e.home = "/home/ann";
  EXPECT_EQ(default_state_dir(e), "/home/ann/.local/state/compositord");
  e.xdg_state_home = "/home/ann/state";
  EXPECT_EQ(default_state_dir(e), "/home/ann/state/compositord");
  e.is_root = true;
  EXPECT_EQ(default_state_dir(e), "/var/lib/compositord");
  e.state_directory = "/var/lib/wall";
  EXPECT_EQ(default_state_dir(e), "/var/lib/wall");
}

TEST(Environment, LogDirectory) {
  Environment environment = user();
  EXPECT_EQ(default_log_dir(environment), "/home/ann/.local/state/compositord/log");
  EXPECT_EQ(default_log_dir(root()), "/var/log/compositord");
  environment.logs_directory = "/var/log/private/x:/y";
  EXPECT_EQ(default_log_dir(environment), "/var/log/private/x");
  EXPECT_TRUE(default_log_dir({}).empty());
}

TEST(Environment, WithoutARuntimeDirectoryThereIsOnlyTcp) {
  EXPECT_EQ(defaults({}).bus, (std::vector<std::string>{"tcp://127.0.0.1:7755"}));
  EXPECT_EQ(defaults({}).feed, (std::vector<std::string>{"tcp://127.0.0.1:7756"}));
  EXPECT_EQ(defaults({}).state_dir, "");
  expect_same(read_ok(to_yaml(defaults({})), {}), defaults({}));
}

TEST(Environment, ARuntimeDirectoryTooLongForASocketIsAnErrorUnlessBothListsAreSet) {
  Environment e;
  e.xdg_runtime_dir = "/run/" + std::string(100, 'x');
  const auto config = default_config(e);
  ASSERT_FALSE(config.has_value());
  EXPECT_PRED2(holds, config.error().text, "a socket's path may have 107; set bus and feed in the configuration");
  EXPECT_PRED2(holds, fault("bus: tcp://*:1", e), "a socket's path may have 107");
  read_ok("bus: tcp://*:1\nfeed: tcp://*:2\n", e);
}

TEST(Units, AreWrittenInTheLargestThatFits) {
  EXPECT_EQ(format_duration(seconds(90)), "90s");
  EXPECT_EQ(format_duration(seconds(120)), "2min");
  EXPECT_EQ(format_duration(hours(24)), "24h");
  EXPECT_EQ(format_duration(milliseconds(0)), "0ms");
  EXPECT_EQ(format_bytes(1'000), "1000B");
  EXPECT_EQ(format_bytes(64U << 20U), "64MiB");
}

TEST(Nearest, FindsTheLikelyWordAndNoUnlikelyOne) {
  constexpr std::array<std::string_view, 4> kWords{"interval", "liveness", "bus", "feed"};
  EXPECT_EQ(nearest("intervall", kWords), "interval");
  EXPECT_EQ(nearest("invterval", kWords), "interval");
  EXPECT_EQ(nearest("bsu", kWords), "bus");
  EXPECT_EQ(nearest("fed", kWords), "feed");
  EXPECT_EQ(nearest("x", kWords), "");
  EXPECT_EQ(nearest("colour", kWords), "");
  EXPECT_EQ(nearest(std::string(100'000, 'i'), kWords), "");
}

TEST(LoadConfig, ReadsAFileAndNamesItInItsErrors) {
  const test::TempDir dir;
  const auto file = dir.path() / "some.yaml";
  EXPECT_EQ(load_config(file, root()).error().status, Status::kNotFound);
  EXPECT_PRED2(holds, load_config(file, root()).error().text, file.string() + " can't be read: No such file");
  std::ofstream(file) << "agents: {credit: 3}\n";
  EXPECT_EQ(load_config(file, root())->core.agent_credit, 3);
  std::ofstream(file) << "agents: {kredit: 3}\n";
  EXPECT_PRED2(holds, load_config(file, root()).error().text, file.string() + ":1:10: unknown key \"kredit\"");
  EXPECT_PRED2(holds, load_config(dir.path(), root()).error().text, "can't be read");
  std::ofstream(file) << std::string((1U << 20U) + 1, '#');
  EXPECT_PRED2(holds, load_config(file, root()).error().text, "longer than 1 MiB");
}

std::string example_file() {
  std::ifstream in(COMPOSITORD_EXAMPLE_YAML);
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

TEST(ExampleFile, IsWhatTheTableOfKeysSays) {
  EXPECT_EQ(example_file(), example_yaml()) << "tools/packaging/compositord.yaml is to be this text:\n"
                                            << example_yaml();
}

TEST(ExampleFile, ChangesNothingForAnybody) {
  expect_same(read_ok(example_file(), root()), defaults(root()));
  expect_same(read_ok(example_file(), user()), defaults(user()));
}

// The settings that are commented out begin right after the "#", the sentences after a blank.
TEST(ExampleFile, WithItsSettingsInForceIsRootsDefaultsAndNamesEveryKey) {
  std::istringstream lines(example_file());
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t hash = line.find_first_not_of(' ');
    const bool is_comment = hash != std::string::npos && line[hash] == '#' && line.size() > hash + 1;
    if (is_comment && (line[hash + 1] != ' ' || line.starts_with("#  -"))) line.erase(hash, 1);
    text += line + "\n";
  }
  expect_same(read_ok(text, {}), defaults(root()));
  for (const ConfigKey& key : config_keys()) EXPECT_PRED2(holds, text, std::string(key.name()) + ":") << key.path;
}

}  // namespace
}  // namespace compositord::broker
