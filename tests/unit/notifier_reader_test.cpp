// `notify` in the configuration: what is read, and how faults are shown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "broker/config/config.h"

namespace compositord::broker {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Environment root() {
  Environment environment;
  environment.is_root = true;
  return environment;
}

std::string fault(const std::string& text) {
  const auto config = parse_config(text, "compositord.yaml", root());
  EXPECT_FALSE(config.has_value()) << "nothing is said against\n" << text;
  return config ? std::string() : config.error().text;
}

TEST(NotifierReader, ReadsEveryKey) {
  const auto config = parse_config(R"(notify:
  - name: ops
    kind: webhook
    severity: critical
    resolved: false
    selector: {ids: ["wall-*/*"], labels: {site: berlin}}
    timeout: 5s
    attempts: 3
    backoff: 2s
    give_up_after: 2min
    queue: 10
    url: https://hooks.example.com/services/T/B
    template: '{"text": "{{title}}"}'
    headers: {X-Team: screens}
    headers_file: /etc/compositord/ops.headers
    redirects: 0
  - {name: pager, kind: exec, severity: [warning, critical], command: [page, --now]}
  - {name: desk, kind: desktop, bus: "unix:path=/run/user/1000/bus"}
  - {name: hidden, kind: webhook, url_file: /etc/compositord/url}
)",
                                   "compositord.yaml", root());
  ASSERT_TRUE(config) << config.error().text;
  ASSERT_EQ(config->notify.size(), 4U);
  NotifierConfig ops;
  ops.name = "ops";
  ops.severities = {"critical"};
  ops.resolved = false;
  ops.subjects = {"wall-*/*"};
  ops.labels = {{"site", "berlin"}};
  ops.timeout = seconds(5);
  ops.attempts = 3;
  ops.backoff = seconds(2);
  ops.give_up_after = minutes(2);
  ops.queue_max = 10;
  ops.url = "https://hooks.example.com/services/T/B";
  ops.body = R"({"text": "{{title}}"})";
  ops.headers = {{"X-Team", "screens"}};
  ops.headers_file = "/etc/compositord/ops.headers";
  ops.redirects = 0;
  EXPECT_EQ(config->notify[0], ops);
  EXPECT_THAT(config->notify[1].command, ElementsAre("page", "--now"));
  EXPECT_EQ(config->notify[2].kind, NotifierKind::kDesktop);
  EXPECT_EQ(config->notify[3].url_file, "/etc/compositord/url");
}

TEST(NotifierReader, AFaultIsShownWhereItIs) {
  EXPECT_EQ(fault("notify:\n  - name: ops\n    kind: webhook\n    url: http://x\n    sevrity: critical\n"),
            "compositord.yaml:5:5: unknown key \"sevrity\" in a notifier\n"
            "    5 |     sevrity: critical\n"
            "      |     ^\n"
            "  did you mean \"severity\"?");
}

TEST(NotifierReader, WrongEntriesAreRefused) {
  const auto expect = [](const std::string& entry, const std::string& part) {
    EXPECT_THAT(fault("notify:\n  - " + entry + "\n"), HasSubstr(part)) << entry;
  };
  expect("ops", "a notifier is a map, not");
  expect("{name: a, url: \"http://x\"}", "a notifier needs \"kind\"");
  expect("{name: a, kind: webhok, url: \"http://x\"}", "did you mean \"webhook\"?");
  expect("{kind: webhook, url: \"http://x\"}", "a notifier needs \"name\"");
  expect("{name: \"a b\", kind: desktop}", "can't be a notifier's name");
  expect("{name: a, kind: webhook}", "needs one of \"url\" and \"url_file\"");
  expect("{name: a, kind: webhook, url: \"http://x\", url_file: /x}", "needs one of \"url\" and \"url_file\"");
  expect("{name: a, kind: webhook, url: \"ftp://x\"}", "begins with http:// or https://");
  expect("{name: a, kind: webhook, url: \"http://x/a b\"}", "has no blank");
  expect("{name: a, kind: webhook, url_file: x}", "begins with a slash");
  expect("{name: a, kind: webhook, url: \"http://x\", template: \"{{titel}}\"}", "no variable \"titel\"");
  expect("{name: a, kind: webhook, url: \"http://x\", headers: {\"a b\": c}}", "can't be a header");
  expect("{name: a, kind: webhook, url: \"http://x\", headers: {a: \"b\\nc: d\"}}", "can't be a header");
  expect("{name: a, kind: webhook, url: \"http://x\", command: [x]}",
         "\"command\" is for the kind exec, not for webhook");
  expect("{name: a, kind: exec}", "needs \"command\"");
  expect("{name: a, kind: exec, command: page}", "\"command\" is a list of texts");
  expect("{name: a, kind: exec, command: [\"\"]}", "needs \"command\"");
  expect("{name: a, kind: desktop, severity: criticl}", "did you mean \"critical\"?");
  expect("{name: a, kind: desktop, timeout: 1ms}", "allowed: 100ms … 10min");
  expect("{name: a, kind: desktop, timeout: 5}", "allowed: 100ms … 10min");
  expect("{name: a, kind: desktop, attempts: 0}", "a whole number 1 … 1000");
  expect("{name: a, kind: desktop, attempts: [1]}", "a whole number 1 … 1000");
  expect("{name: a, kind: desktop, resolved: yes}", "true or false");
  expect("{name: a, kind: desktop, selector: {id: [x]}}", "did you mean \"ids\"?");
  expect("{name: a, kind: desktop, selector: [x]}", "\"selector\" is a map");
  expect("{name: a, kind: desktop, name: b}", "is there twice");
  EXPECT_THAT(fault("notify: {name: a}\n"), HasSubstr("\"notify\" is a list of notifiers"));
  EXPECT_THAT(fault("notify: [{name: a, kind: desktop}, {name: a, kind: desktop}]\n"),
              HasSubstr("two notifiers have the name \"a\""));
}

}  // namespace
}  // namespace compositord::broker
