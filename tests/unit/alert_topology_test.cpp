// What one alert hides of others: agents that are lost together, what lies behind them, silences and maintenance. Virtual time.

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

class AlertTopologyTest : public AlertEngineTest {};

TEST_F(AlertTopologyTest, AnAgentLostAloneIsToldNearlyAtOnce) {
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  lose("a/0");
  pass(milliseconds(25));
  EXPECT_THAT(told(), ElementsAre("firing warning/a/0 agent"));
}

TEST_F(AlertTopologyTest, NobodyWaitsForAnAgentThatWasLostLongAgo) {
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  open_window(msg::WindowKind::kMaintenance, "b/0", std::chrono::hours(1));
  lose("a/0");
  lose("b/0");
  pass(std::chrono::seconds(10));
  EXPECT_THAT(told(), testing::Contains("firing warning/a/0 agent"));
  told();
  lose("c/0");
  pass(milliseconds(25));
  EXPECT_THAT(told(), ElementsAre("firing warning/c/0 agent"));
}

// Their connections were closed together, and the broker sees that one after the other.
TEST_F(AlertTopologyTest, AgentsThatAreLostWithoutASuspicionAreOneAlertAsWell) {
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  for (const char* id : {"a/0", "b/0", "c/0"}) lose(id);
  pass(milliseconds(25));
  EXPECT_THAT(told(), ElementsAre("firing critical/@site/berlin agent"));
}

TEST_F(AlertTopologyTest, TwoHundredAgentsOfOneSiteAreOneAlert) {
  std::vector<std::string> ids;
  for (int i = 0; i < 200; ++i) ids.push_back(fmt::format("host-{:03}/0", i));
  for (const std::string& id : ids) report(id);
  report("far/0");
  for (const std::string& id : ids) suspect(id);
  for (const std::string& id : ids) {
    pass(milliseconds(5));  // a second in all, as after a cut of the network
    lose(id);
  }
  EXPECT_THAT(told(), ElementsAre("firing critical/@site/berlin agent"));
  EXPECT_THAT(notices(), ElementsAre("firing critical @site/berlin"));
  pass(config_.group_interval);
  EXPECT_EQ(last_.member_count, 200U);
  EXPECT_EQ(last_.text, "200 of 201 agents of site berlin are lost");
  EXPECT_THAT(last_.members, SizeIs(msg::kAlertMembersMax));
  told();
  for (const std::string& id : ids) report(id);
  EXPECT_THAT(told(), ElementsAre("resolved critical/@site/berlin agent"));
  EXPECT_THAT(notices(), ElementsAre("resolved critical @site/berlin"));
  EXPECT_THAT(engine().active(), IsEmpty());
}

TEST_F(AlertTopologyTest, WhoWantsNoGroupsHearsOfEachAgent) {
  config_.rules = {{"agents_lost", "*", {}, {}, {}, false}};
  restart();
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  for (const char* id : {"a/0", "b/0", "c/0"}) suspect(id);
  for (const char* id : {"a/0", "b/0", "c/0"}) lose(id);
  pass(config_.group_wait);
  EXPECT_THAT(told(), SizeIs(3));
}

TEST_F(AlertTopologyTest, AWholeHostIsOneAlert) {
  report("wall/0");
  report("wall/1");
  report("other/0");
  suspect("wall/0"), suspect("wall/1");
  lose("wall/0"), lose("wall/1");
  pass(config_.group_wait);
  EXPECT_THAT(told(), ElementsAre("firing critical/@host/wall agent"));
  EXPECT_EQ(last_.text, "2 of 2 agents of host wall are lost");
}

TEST_F(AlertTopologyTest, SitesAreApart) {
  for (const char* id : {"a/0", "b/0", "c/0"}) status(id).labels = {{"site", "rome"}};
  for (const char* id : {"a/0", "b/0", "c/0", "x/0", "y/0", "z/0"}) report(id);
  for (const char* id : {"a/0", "b/0", "c/0", "x/0", "y/0", "z/0"}) suspect(id);
  for (const char* id : {"a/0", "b/0", "c/0", "x/0", "y/0", "z/0"}) lose(id);
  pass(config_.group_wait);
  EXPECT_THAT(told(),
              testing::UnorderedElementsAre("firing critical/@site/rome agent", "firing critical/@site/berlin agent"));
}

// ---- silences, maintenance, acknowledgement

TEST_F(AlertTopologyTest, ASilencedAlertIsPublishedAndNobodyIsNotifiedUntilTheSilenceEnds) {
  open_window(msg::WindowKind::kSilence, "wall/*", std::chrono::minutes(1));
  report("wall/0", {kOff});
  EXPECT_THAT(told(), ElementsAre("firing warning/wall/0 output/DP-1"));
  EXPECT_THAT(last_.silenced_by, HasSubstr("silence-"));
  EXPECT_THAT(notices(), IsEmpty());
  pass(std::chrono::minutes(1));
  EXPECT_EQ(last_.silenced_by, "");
  EXPECT_THAT(notices(), ElementsAre("firing warning wall/0"));
  EXPECT_THAT(windows_, IsEmpty());
}

TEST_F(AlertTopologyTest, InMaintenanceNothingFiresAndWhatIsLeftFiresAfterIt) {
  const std::string window = open_window(msg::WindowKind::kMaintenance, "wall/0", std::chrono::hours(1));
  report("wall/0", {kKilled});
  report("wall/1", {kKilled});
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/1 compositor"));
  ASSERT_TRUE(engine().windows().end(window, msg::WindowKind::kMaintenance, out_));
  EXPECT_TRUE(engine().windows_changed(now_, out_));
  pass(milliseconds(1));
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/0 compositor"));
}

TEST_F(AlertTopologyTest, MaintenanceHidesWhatFiredBefore) {
  report("wall/0", {kOff});
  told();
  open_window(msg::WindowKind::kMaintenance, "*", std::chrono::minutes(1));
  EXPECT_THAT(last_.suppressed_by, HasSubstr("maintenance-"));
  pass(std::chrono::minutes(1));
  EXPECT_EQ(last_.suppressed_by, "");
}

// Of each member, and not only of the one whose turn it was when they became a group.
TEST_F(AlertTopologyTest, AGroupExplainsWhatIsBehindEachOfItsMembers) {
  for (int i = 0; i < 5; ++i) report(fmt::format("wall/{}", i), {kKilled});
  for (int i = 0; i < 5; ++i) lose(fmt::format("wall/{}", i));
  pass(seconds(10));
  std::size_t explained = 0;
  std::string group;
  for (const auto& [id, key] : engine().active()) {
    if (key.first == "@host/wall") group = id;
  }
  for (const auto& [id, key] : engine().active()) {
    if (key.second == "compositor" && engine().find(id)->alert.suppressed_by == group) ++explained;
  }
  EXPECT_EQ(explained, 5U);
  EXPECT_NE(group, "");
}

TEST_F(AlertTopologyTest, WhoAreLostDuringMaintenanceAreOneAlertAfterIt) {
  for (int i = 0; i < 5; ++i) report(fmt::format("wall/{}", i));
  open_window(msg::WindowKind::kMaintenance, "*", seconds(60));
  for (int i = 0; i < 5; ++i) lose(fmt::format("wall/{}", i));
  pass(seconds(59));
  EXPECT_THAT(told(), IsEmpty());
  pass(seconds(10));
  EXPECT_THAT(told(), ElementsAre("firing critical/@host/wall agent"));
  EXPECT_EQ(last_.member_count, 5U);
}

TEST_F(AlertTopologyTest, WhoWantsNoGroupOfAHostHearsOfEachAgent) {
  config_.rules = {{"agents_lost", "@host/*", {}, {}, {}, false}};
  restart();
  for (int i = 0; i < 4; ++i) report(fmt::format("wall/{}", i));
  for (int i = 0; i < 4; ++i) lose(fmt::format("wall/{}", i));
  pass(seconds(10));
  EXPECT_THAT(told(), SizeIs(4));
}

TEST_F(AlertTopologyTest, ASilenceThatEndedWhileThereWasNoBrokerHidesNothingMore) {
  report("wall/0");
  open_window(msg::WindowKind::kSilence, "*", seconds(60));
  report("wall/0", {kKilled});
  EXPECT_THAT(notices(), IsEmpty());
  move_to(now_.instant + seconds(120));
  restart();
  pass(milliseconds(1));
  EXPECT_THAT(notices(), IsEmpty()) << "nobody knows whether it is still so";
  report("wall/0", {kKilled});
  EXPECT_THAT(notices(), ElementsAre("firing critical wall/0"));
  EXPECT_EQ(last_.silenced_by, "");
}

TEST_F(AlertTopologyTest, WhatASilenceHidIsNoNewsWhenItIsOverOnceTheBrokerIsBack) {
  report("wall/0");
  open_window(msg::WindowKind::kSilence, "*", seconds(60));
  report("wall/0", {kKilled});
  move_to(now_.instant + seconds(120));
  told();
  restart();
  pass(seconds(1));
  report("wall/0");
  pass(seconds(60));
  EXPECT_THAT(notices(), IsEmpty());
  EXPECT_THAT(told(), ElementsAre("resolved critical/wall/0 compositor"));
}

TEST_F(AlertTopologyTest, WhatASilenceHidIsNewsWhenNobodySpeaksOfItAnyMore) {
  report("wall/0");
  open_window(msg::WindowKind::kSilence, "*", seconds(60));
  lose("wall/0");
  pass(seconds(1));
  move_to(now_.instant + seconds(120));
  restart();
  pass(config_.return_grace - milliseconds(1));
  EXPECT_THAT(notices(), IsEmpty());
  pass(milliseconds(1));
  EXPECT_THAT(notices(), ElementsAre("firing warning wall/0"));
}

TEST_F(AlertTopologyTest, ASilenceThatBeganWhileThereWasNoBrokerHidesAtOnce) {
  report("wall/0", {kKilled});
  msg::AlertWindow window;
  window.selector = msg::Value::map({{"ids", msg::Value::array({"*"})}});
  window.from = UnixMs{now_.calendar.ms + 60'000};
  window.until = UnixMs{now_.calendar.ms + 300'000};
  window.author = "eve";
  const Result<AlertWindows::Added> added = engine().windows().add(window, now_.calendar, out_);
  apply();
  move_to(now_.instant + seconds(120));
  restart();
  pass(milliseconds(1));
  EXPECT_EQ(last_.silenced_by, added->window);
}

TEST_F(AlertTopologyTest, AnIdOfAWindowNeverMeansAnother) {
  const std::string before = open_window(msg::WindowKind::kMaintenance, "*", seconds(60));
  ASSERT_TRUE(engine().windows().end(before, msg::WindowKind::kMaintenance, out_));
  apply();
  restart();
  EXPECT_NE(open_window(msg::WindowKind::kMaintenance, "*", seconds(60)), before);
}

TEST_F(AlertTopologyTest, MaintenanceThatEndedWhileThereWasNoBrokerHidesNothingMore) {
  report("wall/0", {kKilled});
  open_window(msg::WindowKind::kMaintenance, "*", seconds(60));
  EXPECT_THAT(last_.suppressed_by, HasSubstr("maintenance"));
  move_to(now_.instant + seconds(120));
  restart();
  report("wall/0", {kKilled});
  EXPECT_EQ(last_.suppressed_by, "");
}

}  // namespace
}  // namespace compositord::broker
