// Whose clock is told to be wrong: the agent's, or the broker's. Virtual time; the calendars are set as the tests want.

#include "broker/core/clock_skews.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include <fmt/format.h>

#include "tests/support/compositor_table_test.h"

namespace compositord::broker {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr std::int64_t kTrue = 1'700'000'000'000;  // Unix ms at the origin of the monotonic clock
constexpr std::int64_t kHourMs = 3'600'000;

ClockSkews::Middle middle_of(const std::vector<std::int64_t>& skews) {
  ClockSkews clocks;
  for (const std::int64_t skew : skews) clocks.add(kTrue + skew);
  return clocks.middle(kTrue, 10'000);
}

TEST(ClockSkews, WhatMostShareIsInTheMiddleWhereverTheOthersAre) {
  EXPECT_EQ(middle_of({5'000}).skew_ms, 5'000);
  for (const std::int64_t others : {-kHourMs, kHourMs}) {
    for (const std::int64_t most : {std::int64_t{0}, 2 * kHourMs, -2 * kHourMs}) {
      const ClockSkews::Middle four = middle_of({most, others, most, most});
      EXPECT_EQ(four.skew_ms, most);
      EXPECT_EQ(four.agents, 3U);
      const ClockSkews::Middle five = middle_of({others, most, most, others, most});
      EXPECT_EQ(five.skew_ms, most);
      EXPECT_EQ(five.agents, 3U);
    }
  }
}

TEST(ClockSkews, WhatIsAboutTheSameIsCountedTogether) {
  EXPECT_EQ(middle_of({60'000, 65'000, 70'000}).agents, 3U);
  EXPECT_EQ(middle_of({40'000, 60'000, 80'000}).agents, 1U);
  EXPECT_EQ(middle_of({-60'000, 60'000, 0}).agents, 1U);
}

TEST(ClockSkews, WhoIsRemovedCountsNoMore) {
  ClockSkews clocks;
  for (const std::int64_t skew : {kHourMs, kHourMs, std::int64_t{0}}) clocks.add(kTrue + skew);
  clocks.remove(kTrue + kHourMs);
  clocks.remove(kTrue + kHourMs);
  EXPECT_EQ(clocks.agents(), 1U);
  EXPECT_EQ(clocks.middle(kTrue, 10'000).skew_ms, 0);
}

// The table's part: a broker with agents, each with a calendar of its own.
class ClockAlertTest : public CompositorTableTest {
 protected:
  ClockAlertTest() : CompositorTableTest(Instant{} + std::chrono::hours(1)) {}

  using Firing = std::vector<std::string>;

  Now now() const { return Now{now_, UnixMs{broker_ + now_.ns() / 1'000'000}}; }
  static msg::CompositorId id_of(int agent) { return msg::CompositorId(fmt::format("wall/w{}", agent)); }
  void set_broker(std::int64_t unix_ms_at_origin) {
    broker_ = unix_ms_at_origin;
    table_.judge_broker_clock(now(), out_);
  }
  void report(int agent, std::int64_t skew_ms = 0) {
    msg::StatusReport report;
    report.sent_at = UnixMs{kTrue + skew_ms + now_.ns() / 1'000'000};
    report.process.state = msg::Process::kRunning;
    report.progress.state = msg::Progress::kOk;
    table_.admit(id_of(agent), {}, now().calendar);
    table_.set_link(id_of(agent), msg::Link::kConnected, "it registered", now().calendar, now(), out_);
    table_.report(id_of(agent), report, now(), out_);
    now_ = now_ + seconds(1);
  }
  void lose(int agent) { table_.set_link(id_of(agent), msg::Link::kLost, "silence", now().calendar, now(), out_); }
  // Whose clocks are told to be wrong.
  Firing firing() const {
    Firing ids;
    for (const auto& [id, key] : engine_.active()) {
      if (key.second == "clock") ids.push_back(key.first);
    }
    return ids;
  }
  const msg::Alert& alert_of(const std::string& subject) const {
    for (const auto& [id, key] : engine_.active()) {
      if (key == std::pair(subject, std::string("clock"))) return engine_.find(id)->alert;
    }
    ADD_FAILURE() << "no clock alert of " << subject;
    static const msg::Alert none;
    return none;
  }

  std::int64_t broker_ = kTrue;
};

TEST_F(ClockAlertTest, AJumpOfTheBrokersCalendarIsOneAlertOfTheBus) {
  for (int agent = 0; agent < 5; ++agent) report(agent, agent * 10);
  set_broker(kTrue - kHourMs);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus")) << "at once, before anybody reports again";
  const msg::Alert alert = alert_of("@bus");
  EXPECT_EQ(alert.kind, msg::AlertKind::kClockSkew);
  EXPECT_EQ(alert.severity, msg::AlertSeverity::kWarning);
  EXPECT_EQ(alert.text, "the broker's clock is behind most agents'");
  EXPECT_EQ(alert.seen, "5 of 5 connected agents are 3600.0 s ahead of it");
  EXPECT_THAT(alert.advice, HasSubstr("timedatectl on the broker's host"));
  for (int agent = 0; agent < 5; ++agent) report(agent, agent * 10);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus"));
  EXPECT_EQ(alert_of("@bus").change, alert.change) << "reports that say the same are no news";
  set_broker(kTrue);
  EXPECT_THAT(firing(), IsEmpty());
  set_broker(kTrue + kHourMs);
  EXPECT_EQ(alert_of("@bus").text, "the broker's clock is ahead of most agents'");
  EXPECT_THAT(alert_of("@bus").seen, HasSubstr("3600.0 s behind it"));
}

TEST_F(ClockAlertTest, TwoAgentsAreNoWitnessesAgainstTheBroker) {
  report(0);
  report(1);
  set_broker(kTrue - kHourMs);
  EXPECT_THAT(firing(), IsEmpty());
  report(0);
  report(1);
  EXPECT_THAT(firing(), UnorderedElementsAre("wall/w0", "wall/w1"));
  report(2);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus")) << "the third shows that it was not theirs";
}

TEST_F(ClockAlertTest, HalfOfTheAgentsAreNotMost) {
  for (int agent = 0; agent < 3; ++agent) report(agent);
  for (int agent = 3; agent < 6; ++agent) report(agent, kHourMs);
  EXPECT_THAT(firing(), UnorderedElementsAre("wall/w3", "wall/w4", "wall/w5"));
  EXPECT_EQ(alert_of("wall/w3").seen, "the difference is 3600.0 s");
  report(6, kHourMs);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus"));
  report(7);
  EXPECT_THAT(firing(), UnorderedElementsAre("wall/w3", "wall/w4", "wall/w5", "wall/w6")) << "half again";
}

TEST_F(ClockAlertTest, SkewsOfBothSignsAreNotOneSkew) {
  report(0, kHourMs);
  report(1, kHourMs);
  report(2, -kHourMs);
  report(3, -kHourMs);
  EXPECT_THAT(firing(), UnorderedElementsAre("wall/w0", "wall/w1", "wall/w2", "wall/w3"));
  report(4, -kHourMs);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus", "wall/w0", "wall/w1"));
}

TEST_F(ClockAlertTest, AnAgentThatDiffersFromTheOthersKeepsItsOwn) {
  for (int agent = 0; agent < 5; ++agent) report(agent, agent == 4 ? -2 * kHourMs : 0);
  EXPECT_THAT(firing(), UnorderedElementsAre("wall/w4"));
  const std::string life = alert_of("wall/w4").alert;
  set_broker(kTrue + kHourMs);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus", "wall/w4"));
  EXPECT_EQ(alert_of("@bus").seen, "4 of 5 connected agents are 3600.0 s behind it");
  report(3, kHourMs / 2);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus", "wall/w3", "wall/w4"));
  EXPECT_EQ(alert_of("wall/w3").seen, "the difference is 1800.0 s; most agents are 3600.0 s behind the broker");
  report(3, kHourMs);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus", "wall/w4")) << "one that goes with the broker has its clock";
  set_broker(kTrue);
  report(3);
  EXPECT_THAT(firing(), UnorderedElementsAre("wall/w4"));
  EXPECT_EQ(alert_of("wall/w4").alert, life) << "all the time it was one fault";
}

TEST_F(ClockAlertTest, WhoIsDisconnectedIsNotAsked) {
  for (int agent = 0; agent < 3; ++agent) report(agent, kHourMs);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus"));
  lose(0);
  lose(1);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus")) << "the one that is left still says so";
  lose(2);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus")) << "nobody is left to ask";
  set_broker(kTrue + kHourMs);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus"));
  report(2, kHourMs);
  EXPECT_THAT(firing(), IsEmpty());
  for (int agent = 3; agent < 6; ++agent) report(agent, kHourMs);
  for (int agent = 6; agent < 9; ++agent) report(agent);
  EXPECT_THAT(firing(), UnorderedElementsAre("wall/w6", "wall/w7", "wall/w8"));
  lose(3);
  EXPECT_THAT(firing(), UnorderedElementsAre("wall/w6", "wall/w7", "wall/w8")) << "three of six";
  lose(4);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus")) << "three of five, and those with a right clock are lost";
}

class ClockAlertAtTheLimit : public ClockAlertTest, public testing::WithParamInterface<std::int64_t> {};

TEST_P(ClockAlertAtTheLimit, IsNeverOneAlertOfEachAgent) {
  for (int agent = 0; agent < 4; ++agent) report(agent);
  set_broker(kTrue - GetParam());
  for (int agent = 0; agent < 4; ++agent) report(agent, agent * 20);
  EXPECT_THAT(firing(), testing::AnyOf(IsEmpty(), UnorderedElementsAre("@bus")));
}

INSTANTIATE_TEST_SUITE_P(Skews, ClockAlertAtTheLimit,
                         testing::Values(9'850, 9'950, 10'000, 10'050, 10'150, -9'850, -9'950, -10'000, -10'050,
                                         -10'150));

// A broker that was started with a wrong clock meets one agent after the other.
TEST_F(ClockAlertTest, AfterAStartIsJudgedWhenMostAgentsAreBack) {
  std::vector<CompositorRecord> records(6);
  for (int agent = 0; agent < 6; ++agent) records[static_cast<std::size_t>(agent)].id = id_of(agent).value();
  table_.load(records, now(), out_);
  for (int agent = 0; agent < 3; ++agent) report(agent, kHourMs);
  EXPECT_THAT(firing(), IsEmpty());
  report(3, kHourMs);
  EXPECT_THAT(firing(), UnorderedElementsAre("@bus"));
}

TEST_F(ClockAlertTest, AfterAStartAgentsThatDoNotComeAreNotWaitedForForEver) {
  std::vector<CompositorRecord> records(3);
  for (int agent = 0; agent < 3; ++agent) records[static_cast<std::size_t>(agent)].id = id_of(agent).value();
  table_.load(records, now(), out_);
  report(0, kHourMs);
  EXPECT_THAT(firing(), IsEmpty());
  now_ = now_ + config_.alerts.return_grace;
  report(0, kHourMs);
  EXPECT_THAT(firing(), UnorderedElementsAre("wall/w0"));
}

TEST_F(ClockAlertTest, AnyNumbersAreTaken) {
  for (const std::int64_t sent_at :
       {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    for (int agent = 0; agent < 3; ++agent) {
      report(agent);
      msg::StatusReport wild;
      wild.sent_at = UnixMs{sent_at};
      table_.report(id_of(agent), wild, now(), out_);
    }
    EXPECT_THAT(firing(), UnorderedElementsAre("@bus"));
    for (int agent = 0; agent < 3; ++agent) report(agent);
    EXPECT_THAT(firing(), IsEmpty());
  }
}

}  // namespace
}  // namespace compositord::broker
