// The rules of telling people: who wants what, how long to wait, and the bodies of webhooks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "broker/notify/backoff.h"
#include "broker/notify/body_template.h"
#include "broker/notify/notifier_config.h"
#include "tests/support/sample_notification.h"

namespace compositord::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::sample_notification;
using ::testing::HasSubstr;

TEST(Wants, EverythingUnlessItSaysOtherwise) { EXPECT_TRUE(wants({}, sample_notification())); }

TEST(Wants, BySeverityStateSubjectAndLabels) {
  NotifierConfig config;
  config.severities = {"warning"};
  EXPECT_FALSE(wants(config, sample_notification()));
  config.severities.push_back("critical");
  EXPECT_TRUE(wants(config, sample_notification()));
  config.subjects = {"lab/*", "wall-?/*"};
  EXPECT_TRUE(wants(config, sample_notification()));
  config.subjects.pop_back();
  EXPECT_FALSE(wants(config, sample_notification()));
  config.subjects.clear();
  config.labels = {{"site", "ber*"}};
  EXPECT_TRUE(wants(config, sample_notification()));
  config.labels.emplace("wall", "*");
  EXPECT_FALSE(wants(config, sample_notification())) << "a label that is not there has no value that matches";
  config.labels.clear();
  config.resolved = false;
  EXPECT_TRUE(wants(config, sample_notification()));
  Notification over = sample_notification();
  over.state = "resolved";
  EXPECT_FALSE(wants(config, over));
}

TEST(Backoff, DoublesUpToItsMaximumAndKeepsAtLeastHalf) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(backoff(1, seconds(1), 0), milliseconds(500));
  EXPECT_EQ(backoff(2, seconds(1), 0), seconds(1));
  EXPECT_EQ(backoff(5, seconds(1), 0), seconds(8));
  EXPECT_EQ(backoff(1'000'000'000, seconds(1), 0), kBackoffMax / 2);
  EXPECT_EQ(backoff(1, std::chrono::hours(1), 0), kBackoffMax / 2);
  for (std::uint64_t random = 0; random < 1'000; ++random) {
    const Duration wait = backoff(3, seconds(1), kMost / 1'000 * random);
    EXPECT_GE(wait, seconds(2));
    EXPECT_LE(wait, seconds(4));
  }
}

TEST(BodyTemplate, FillsEachVariableAsJsonText) {
  const Notification n = sample_notification();
  EXPECT_EQ(fill_template(R"({"a": "{{subject}}/{{ layer }}", "b": "{{severity}} {{state}} {{dedupe}}"})", n),
            R"({"a": "wall-3/wayland-1/process", "b": "critical firing a1/1"})");
  EXPECT_EQ(fill_template(R"("{{text}}")", n), R"("The compositor was \"killed\" by signal 9 <SIGKILL>.")");
  EXPECT_EQ(fill_template("\"{{since}}\"", n), "\"2026-11-21T20:18:40.123Z\"");
  EXPECT_EQ(fill_template("{\"x\": {{json}}}", n), "{\"x\": " + n.json + "}");
  EXPECT_EQ(fill_template("\"{{labels.site}}{{labels.none}}\"", n), "\"berlin\"");
}

// What an alert says must not become a variable, nor break out of its string.
TEST(BodyTemplate, TextOfAnAlertIsOnlyText) {
  Notification n = sample_notification();
  n.title = "{{json}} \", \"x\": \"\n";
  EXPECT_EQ(fill_template("{\"t\": \"{{title}}\"}", n), R"({"t": "{{json}} \", \"x\": \"\n"})");
}

TEST(BodyTemplate, FaultsAreFoundBeforeAnyAlert) {
  EXPECT_EQ(template_fault(R"({"text": "{{title}}", "alert": {{json}}})"), "");
  EXPECT_THAT(template_fault("{\"text\": \"{{titel}}\"}"), HasSubstr("no variable \"titel\"; allowed: title"));
  EXPECT_THAT(template_fault("{\"text\": \"{{title\"}"), HasSubstr("has no }}"));
  EXPECT_THAT(template_fault("{\"text\": {{title}}}"), HasSubstr("no JSON"));
  EXPECT_THAT(template_fault("{\"text\": \"{{labels.}}\"}"), HasSubstr("no variable \"labels.\""));
}

TEST(Rfc3339, KnowsLeapYearsAndTimesBefore1970) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(1'709'209'845'006), "2024-02-29T12:30:45.006Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace compositord::broker
