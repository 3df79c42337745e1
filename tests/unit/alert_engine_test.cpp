// Which alerts fire, who is told, and what survives a restart. Virtual time.

#include <gmock/gmock.h>

#include "tests/support/alert_engine_test.h"

namespace compositord::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(AlertEngineTest, AFaultIsOneLifeFromItsBeginningToItsEnd) {
  report("wall/0", {kKilled});
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/0 compositor"));
  EXPECT_EQ(last_.signal, 9);
  EXPECT_EQ(last_.layer, "process");
  EXPECT_THAT(last_.advice, testing::Not(IsEmpty()));
  const std::string life = last_.alert;
  report("wall/0", {kKilled});
  EXPECT_THAT(told(), IsEmpty());
  report("wall/0");
  EXPECT_THAT(told(), ElementsAre("resolved critical/wall/0 compositor"));
  EXPECT_EQ(last_.alert, life);
  EXPECT_EQ(last_.change, 2U);
  EXPECT_THAT(notices(), ElementsAre("firing critical wall/0", "resolved critical wall/0"));
  EXPECT_THAT(engine().active(), IsEmpty());
  EXPECT_THAT(engine().ended(), SizeIs(1));
  report("wall/0");
  EXPECT_THAT(told(), IsEmpty());
}

// Who is subscribed to warnings only must hear that this one is theirs no more.
TEST_F(AlertEngineTest, WhatBecomesWorseIsTheSameAlertUnderBothSeverities) {
  report("wall/0", {kStopped});
  const std::string life = last_.alert;
  report("wall/0", {kStopped, kFrozen});
  EXPECT_THAT(told(), ElementsAre("firing warning/wall/0 compositor", "firing warning/wall/0 compositor",
                                  "firing critical/wall/0 compositor"));
  EXPECT_EQ(last_.alert, life);
  EXPECT_EQ(last_.severity, msg::AlertSeverity::kCritical);
  EXPECT_EQ(last_.layer, "process");
  EXPECT_EQ(last_.text, "stopped; frozen");
  EXPECT_EQ(last_.kind, msg::AlertKind::kCompositorStopped);
  report("wall/0", {kSlow});
  EXPECT_EQ(last_.severity, msg::AlertSeverity::kWarning);
  report("wall/0");
  // Better is no news worth waking somebody.
  EXPECT_THAT(notices(), ElementsAre("firing warning wall/0", "firing critical wall/0", "resolved warning wall/0"));
}

TEST_F(AlertEngineTest, ALostAgentHidesWhatIsBehindItAndResolvesNothing) {
  report("wall/0", {kKilled});
  told();
  lose("wall/0");
  pass(milliseconds(25));
  EXPECT_THAT(told(), ElementsAre("firing warning/wall/0 agent", "firing critical/wall/0 compositor"));
  EXPECT_THAT(last_.suppressed_by, testing::Not(IsEmpty()));
  report("wall/0");
  EXPECT_THAT(told(),
              testing::UnorderedElementsAre("resolved warning/wall/0 agent", "resolved critical/wall/0 compositor"));
}

TEST_F(AlertEngineTest, TheOutputsOfADeadCompositorAreNoAlertsOfTheirOwn) {
  report("wall/0", {kOff});
  told();
  report("wall/0", {kKilled});
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/0 compositor", "firing warning/wall/0 output/DP-1"));
  EXPECT_FALSE(last_.suppressed_by.empty());
  report("wall/0", {kOff});
  EXPECT_THAT(told(), ElementsAre("resolved critical/wall/0 compositor", "firing warning/wall/0 output/DP-1"));
  EXPECT_TRUE(last_.suppressed_by.empty());
  EXPECT_THAT(notices(), ElementsAre("firing warning wall/0", "firing critical wall/0", "resolved critical wall/0"));
}

TEST_F(AlertEngineTest, RulesDelayChangeAndSwitchOff) {
  config_.rules = {{"compositor_slow", "wall/*", seconds(10), seconds(5), msg::AlertSeverity::kCritical, true},
                   {"output_*", "*", {}, {}, {}, false}};
  restart();
  report("wall/0", {kSlow, kOff});
  pass(seconds(9));
  EXPECT_THAT(told(), IsEmpty());
  pass(seconds(1));
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/0 compositor"));
  EXPECT_EQ(last_.since.ms, 1'000'000);
  report("wall/0", {kOff});
  pass(seconds(3));
  report("wall/0", {kSlow, kOff});  // again before ok_after is over: the same life
  told();
  report("wall/0", {kOff});
  pass(seconds(5));
  EXPECT_THAT(told(), ElementsAre("resolved critical/wall/0 compositor"));
  EXPECT_EQ(last_.count, 2U);
}

TEST_F(AlertEngineTest, AShortFaultBelowItsTimeIsNoAlert) {
  config_.rules = {{"compositor_slow", "*", seconds(10), {}, {}, true}};
  restart();
  report("wall/0", {kSlow});
  pass(seconds(5));
  report("wall/0");
  pass(seconds(60));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(AlertEngineTest, WhatComesAndGoesIsOneAlertUntilItIsCalm) {
  for (int i = 0; i < 4; ++i) {
    report("wall/0", {kOff});
    report("wall/0");
  }
  EXPECT_TRUE(last_.flapping);
  EXPECT_THAT(last_.text, HasSubstr("comes and goes"));
  EXPECT_THAT(engine().active(), SizeIs(1));
  const std::size_t lives = engine().ended().size();
  told();
  for (int i = 0; i < 5; ++i) {
    report("wall/0", {kOff});
    report("wall/0");
  }
  EXPECT_THAT(told(), IsEmpty());
  for (int i = 0; i < 20; ++i) report("wall/0");
  EXPECT_THAT(told(), ElementsAre("resolved warning/wall/0 output/DP-1"));
  EXPECT_EQ(engine().ended().size(), lives + 1);
}

TEST_F(AlertEngineTest, WhatFiresIsPublishedAgainAsItWas) {
  report("wall/0", {kOff});
  told();
  const std::uint64_t change = last_.change;
  pass(config_.repeat);
  EXPECT_THAT(told(), ElementsAre("firing warning/wall/0 output/DP-1"));
  EXPECT_EQ(last_.change, change);
  EXPECT_THAT(notices(), SizeIs(1));
}

// ---- agents lost together

TEST_F(AlertEngineTest, AnAcknowledgementIsToldAndKept) {
  report("wall/0", {kOff});
  EXPECT_TRUE(engine().acknowledge(last_.alert, {"eve", "on my way", now_.calendar}, now_, out_));
  apply();
  ASSERT_TRUE(last_.acked);
  EXPECT_EQ(last_.acked->author, "eve");
  EXPECT_EQ(engine().acknowledge("0", {}, now_, out_).error().status, Status::kNotFound);
  const std::string id = last_.alert;
  report("wall/0");
  EXPECT_EQ(engine().acknowledge(id, {}, now_, out_).error().status, Status::kConflict);
}

// ---- the store, and restarts

TEST_F(AlertEngineTest, AStoreThatHangsDelaysAnAlertByATenthOfASecondAtMost) {
  store_hangs_ = true;
  report("wall/0", {kKilled});
  EXPECT_THAT(told(), IsEmpty());
  pass(milliseconds(100));
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/0 compositor"));
}

TEST_F(AlertEngineTest, AfterARestartTheSameFaultIsTheSameAlert) {
  report("wall/0", {kKilled});
  const std::string life = last_.alert;
  told(), notices();
  restart();
  report("wall/0", {kKilled});
  pass(config_.return_grace);
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_THAT(notices(), IsEmpty());
  report("wall/0");
  EXPECT_THAT(told(), ElementsAre("resolved critical/wall/0 compositor"));
  EXPECT_EQ(last_.alert, life);
}

TEST_F(AlertEngineTest, ANoticeThatNobodyConfirmedIsGivenOutAgainAfterARestart) {
  notifier_hangs_ = true;
  report("wall/0", {kKilled});
  EXPECT_THAT(notices(), ElementsAre("firing critical wall/0"));
  notifier_hangs_ = false;
  restart();
  EXPECT_THAT(notices(), ElementsAre("firing critical wall/0"));
  restart();
  EXPECT_THAT(notices(), IsEmpty());
}

TEST_F(AlertEngineTest, ANoticeOfAnAlertThatWasAcknowledgedSinceKeepsItsNumber) {
  notifier_hangs_ = true;
  report("wall/0", {kKilled});
  EXPECT_TRUE(engine().acknowledge(last_.alert, {"eve", "on my way", now_.calendar}, now_, out_));
  apply();
  notifier_hangs_ = false;
  restart();
  EXPECT_THAT(notices(), ElementsAre("firing critical wall/0", "firing critical wall/0"));
  EXPECT_THAT(dedupes_, SizeIs(1)) << "it is the same notice once more";
  restart();
  EXPECT_THAT(notices(), IsEmpty()) << "it was confirmed";
}

TEST_F(AlertEngineTest, WhereverTheBrokerIsKilledAFaultIsOneAlertAndSomebodyIsNotified) {
  for (const Death death :
       {Death::kBeforeTheStore, Death::kBeforeTheFeed, Death::kBeforeTheNotifier, Death::kBeforeItsAnswer}) {
    for (const bool at_its_end : {false, true}) {
      SCOPED_TRACE(fmt::format("point {}, at its end: {}", static_cast<int>(death), at_its_end));
      alerts_.clear(), lives_.clear(), dedupes_.clear();
      restart();
      if (at_its_end) report("wall/0", {kKilled});
      death_ = death;
      report("wall/0", at_its_end ? std::vector<Fault>{} : std::vector<Fault>{kKilled});
      death_ = Death::kNone;
      restart();
      report("wall/0", at_its_end ? std::vector<Fault>{} : std::vector<Fault>{kKilled});
      pass(seconds(1));
      EXPECT_THAT(engine().active(), SizeIs(at_its_end ? 0 : 1));
      if (!at_its_end) report("wall/0");
      pass(seconds(1));
      EXPECT_THAT(engine().active(), IsEmpty());
      EXPECT_THAT(engine().ended(), SizeIs(1));
      EXPECT_THAT(lives_, SizeIs(1));
      EXPECT_THAT(dedupes_, SizeIs(2));  // that it fired, and that it ended
    }
  }
}

TEST_F(AlertEngineTest, AnAgentThatDoesNotComeBackAfterARestartIsLost) {
  report("wall/0");
  report("far/0");
  restart();
  report("far/0");
  pass(config_.return_grace - milliseconds(1));
  EXPECT_THAT(told(), IsEmpty());
  pass(milliseconds(1));
  EXPECT_THAT(told(), ElementsAre("firing warning/wall/0 agent"));
}

TEST_F(AlertEngineTest, AGroupSurvivesARestartWithItsMembers) {
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  for (const char* id : {"a/0", "b/0", "c/0"}) suspect(id);
  for (const char* id : {"a/0", "b/0", "c/0"}) lose(id);
  pass(config_.group_wait);
  pass(config_.group_interval);
  told();
  restart();
  pass(config_.return_grace);
  EXPECT_THAT(told(), IsEmpty());
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  EXPECT_THAT(told(), ElementsAre("resolved critical/@site/berlin agent"));
}

// The disk refused the end of the first life, and took the beginning of the second.
TEST_F(AlertEngineTest, OfTwoLivesOfOneFaultInTheStoreTheLaterOneFires) {
  report("wall/0", {kOff});
  const AlertRecord first = alerts_.begin()->second;
  report("wall/0");
  report("wall/0", {kKilled});
  report("wall/0", {kOff});
  alerts_[first.id] = first;
  const std::string later = last_.alert;
  restart();
  EXPECT_FALSE(engine().active().contains(first.id));
  EXPECT_EQ(engine().find(first.id)->alert.state, msg::AlertState::kResolved);
  EXPECT_FALSE(alerts_.at(first.id).active);
}

TEST_F(AlertEngineTest, TheHistoryIsBounded) {
  config_.history_max = 3;
  restart();
  for (int i = 0; i < 5; ++i) {
    report(fmt::format("wall/{}", i), {kOff});
    report(fmt::format("wall/{}", i));
  }
  EXPECT_THAT(engine().ended(), SizeIs(3));
  EXPECT_THAT(alerts_, SizeIs(3));
}

TEST_F(AlertEngineTest, WhatCanNotBeReadInTheStoreIsSaidAndLeftOut) {
  alerts_["x"] = AlertRecord{"x", "wall/0", "agent", true, {}, "garbage", 0, 0, false};
  windows_["silence-1"] = WindowRecord{"silence-1", "\x01", false};
  restart();
  EXPECT_THAT(out_.log, SizeIs(2));
  EXPECT_THAT(engine().active(), IsEmpty());
}

TEST_F(AlertEngineTest, NewsAreOverByThemselves) {
  const Fault news{"output/DP-2", msg::Verdict::kDegraded, "output DP-2 is new", msg::AlertKind::kOutputNew};
  engine().raise("wall/0", "news/DP-2", news, {}, {}, now_, out_);
  apply();
  EXPECT_THAT(told(), ElementsAre("firing info/wall/0 news/DP-2"));
  pass(config_.news_keep);
  EXPECT_THAT(told(), ElementsAre("resolved info/wall/0 news/DP-2"));
  EXPECT_THAT(engine().active(), IsEmpty());
}

TEST_F(AlertEngineTest, NewsWithoutEndAreToldOfSoOftenAndNoMore) {
  const auto tell = [&](const std::string& id, int output) {
    const Fault news{fmt::format("output/{}", output), msg::Verdict::kDegraded, "new", msg::AlertKind::kOutputNew};
    engine().raise(id, fmt::format("news/{}", output), news, {}, {}, now_, out_);
    apply();
  };
  for (int i = 0; i < 1000; ++i) tell("wall/0", i);
  EXPECT_THAT(engine().active(), SizeIs(16));
  tell("wall/1", 0);
  EXPECT_THAT(engine().active(), SizeIs(17)) << "of another compositor they are news";
  pass(config_.news_keep);
  EXPECT_THAT(engine().active(), IsEmpty());
  tell("wall/0", 0);
  EXPECT_THAT(engine().active(), SizeIs(1));
}

}  // namespace
}  // namespace compositord::broker
