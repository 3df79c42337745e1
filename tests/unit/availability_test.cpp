// How much of a period a compositor did well: the edges of periods, of the broker's runs, and what is planned.
#include "broker/core/availability.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

namespace compositord::broker {
namespace {

constexpr std::uint64_t kEpoch = 7;

StatusChange change_at(std::int64_t at, msg::Verdict verdict, std::string layer = {}, std::string reason = {}) {
  StatusChange change;
  change.id = "wall/w1";
  change.epoch = kEpoch;
  change.at = UnixMs{at};
  change.verdict = verdict;
  change.layer = std::move(layer);
  change.reason = std::move(reason);
  return change;
}

constexpr auto kOk = msg::Verdict::kOk;
constexpr auto kDown = msg::Verdict::kDown;
constexpr auto kDegraded = msg::Verdict::kDegraded;

// The present run began long before.
const std::vector<BrokerRun> kOneRun{{kEpoch, UnixMs{0}, UnixMs{0}, {}, 0}};

Availability of(const std::vector<StatusChange>& changes, std::int64_t since, std::int64_t until,
                const std::vector<BrokerRun>& runs = kOneRun) {
  Availability found = availability_of(changes, runs, kEpoch, UnixMs{since}, UnixMs{until});
  const std::int64_t sum = std::accumulate(found.time.ms.begin(), found.time.ms.end(), std::int64_t{0});
  EXPECT_EQ(sum, until - found.since.ms) << "every moment counts once";
  return found;
}

TEST(Availability, AddsUpWhatWasOkAndWhatWasNot) {
  const Availability found =
      of({change_at(100, kOk), change_at(400, kDown, "process", "killed"), change_at(500, kOk)}, 100, 1'100);
  EXPECT_EQ(found.time.of(Standing::kOk), 900);
  EXPECT_EQ(found.time.of(Standing::kDown), 100);
  EXPECT_DOUBLE_EQ(*found.time.ok_share(), 0.9);
  ASSERT_EQ(found.outages.size(), 1U);
  EXPECT_EQ(found.outages[0].from, UnixMs{400});
  EXPECT_EQ(found.outages[0].until, UnixMs{500});
  EXPECT_EQ(found.outages[0].reason, "killed");
  EXPECT_FALSE(found.outages[0].began_before);
  EXPECT_FALSE(found.outages[0].goes_on);
}

TEST(Availability, APeriodMayBeginAndEndInTheMiddleOfAnOutage) {
  const Availability found = of({change_at(100, kDown, "progress", "frozen"), change_at(600, kOk),
                                 change_at(900, kDegraded, "output/DP-1", "off")},
                                500, 1'000);
  EXPECT_EQ(found.time.of(Standing::kDown), 100);
  EXPECT_EQ(found.time.of(Standing::kOk), 300);
  EXPECT_EQ(found.time.of(Standing::kDegraded), 100);
  ASSERT_EQ(found.outages.size(), 2U);
  EXPECT_TRUE(found.outages[0].began_before);
  EXPECT_EQ(found.outages[0].from, UnixMs{500});
  EXPECT_TRUE(found.outages[1].goes_on);
}

TEST(Availability, BadTimesThatFollowEachOtherAreOneOutageWithItsFirstCauseAndItsWorst) {
  const Availability found = of({change_at(0, kOk), change_at(100, kDegraded, "progress", "it does not answer"),
                                 change_at(200, kDown, "progress", "it is frozen"),
                                 change_at(300, kDegraded, "output/DP-1", "off"), change_at(400, kOk)},
                                0, 500);
  ASSERT_EQ(found.outages.size(), 1U);
  EXPECT_EQ(found.outages[0].worst, Standing::kDown);
  EXPECT_EQ(found.outages[0].reason, "it does not answer");
  EXPECT_EQ(found.outages[0].until.ms - found.outages[0].from.ms, 300);
}

TEST(Availability, WhileNoBrokerRanNothingIsKnownAndCertainlyNotOk) {
  StatusChange before = change_at(100, kOk);
  before.epoch = 6;
  const std::vector<BrokerRun> runs{{6, UnixMs{0}, UnixMs{300}, {}, 0}, {kEpoch, UnixMs{700}, UnixMs{700}, {}, 0}};
  const Availability found = of({before, change_at(800, kOk)}, 100, 1'000, runs);
  EXPECT_EQ(found.time.of(Standing::kOk), 200 + 200) << "until it was last known to live, and after the first word";
  EXPECT_EQ(found.time.of(Standing::kUnknown), 500);
  ASSERT_EQ(found.outages.size(), 1U);
  EXPECT_EQ(found.outages[0].reason, "the broker was not running");
  EXPECT_EQ(found.outages[0].worst, Standing::kUnknown);
}

TEST(Availability, WhatNobodySawIsAnOutageOfItsOwn) {
  StatusChange before = change_at(100, kDown, "process", "killed");
  before.epoch = 6;
  const std::vector<BrokerRun> runs{{6, UnixMs{0}, UnixMs{300}, {}, 0}, {kEpoch, UnixMs{700}, UnixMs{700}, {}, 0}};
  const Availability found = of({before, change_at(710, msg::Verdict::kUnknown, "link", "it has not reported yet"),
                                 change_at(720, kDown, "process", "killed")},
                                100, 1'000, runs);
  ASSERT_EQ(found.outages.size(), 3U);
  EXPECT_EQ(found.outages[1].from, UnixMs{300});
  EXPECT_EQ(found.outages[1].until, UnixMs{720});
  EXPECT_EQ(found.outages[1].reason, "the broker was not running");
  EXPECT_EQ(found.outages[2].reason, "killed");
}

TEST(Availability, ARunThatLeftOnlyChangesLastedUntilItsLastOne) {
  StatusChange first = change_at(100, kOk);
  StatusChange last = change_at(200, kDown, "process", "killed");
  first.epoch = last.epoch = 6;
  const Availability found = of({first, last, change_at(900, kOk)}, 100, 1'000, {});
  EXPECT_EQ(found.time.of(Standing::kOk), 100 + 100);
  EXPECT_EQ(found.time.of(Standing::kUnknown), 700);
}

TEST(Availability, WhatWasNeverSeenIsNotCounted) {
  const Availability found = of({change_at(800, kOk)}, 0, 1'000);
  EXPECT_EQ(found.since, UnixMs{800});
  EXPECT_EQ(found.time.of(Standing::kUnknown), 0);
  EXPECT_DOUBLE_EQ(*found.time.ok_share(), 1.0);
  const Availability nothing = of({}, 0, 1'000);
  EXPECT_EQ(nothing.since, UnixMs{1'000});
  EXPECT_FALSE(nothing.time.ok_share());
}

TEST(Availability, DarknessThatSomebodyWantedIsShownAndNotHeldAgainstIt) {
  StatusChange dark = change_at(200, kDegraded, "output/DP-1", "output DP-1 is off");
  dark.outputs = {{"DP-1", msg::OutputState::kOff, true}, {"DP-2", msg::OutputState::kOn, false}};
  StatusChange both = dark;
  both.at = UnixMs{500};
  both.outputs[1].state = msg::OutputState::kDisconnected;
  StatusChange well = change_at(600, kOk);
  well.outputs = {{"DP-1", msg::OutputState::kOn, false}, {"DP-2", msg::OutputState::kOn, false}};
  const Availability found = of({dark, both, well}, 200, 1'000);
  EXPECT_EQ(found.time.of(Standing::kPlanned), 300);
  EXPECT_EQ(found.time.of(Standing::kDegraded), 100) << "the other one is dark as well, and nobody wanted that";
  EXPECT_DOUBLE_EQ(*found.time.ok_share(), 0.8);
  EXPECT_EQ(found.outages.size(), 1U);
  ASSERT_EQ(found.outputs.size(), 2U);
  EXPECT_EQ(found.outputs[0].time.of(Standing::kPlanned), 400);
  EXPECT_EQ(found.outputs[0].time.of(Standing::kOk), 400);
  EXPECT_EQ(found.outputs[1].time.of(Standing::kDown), 100);
}

TEST(Availability, MaintenanceCountsAsItself) {
  const Availability found = of({change_at(0, msg::Verdict::kMaintenance), change_at(400, kOk)}, 0, 500);
  EXPECT_EQ(found.time.of(Standing::kMaintenance), 400);
  EXPECT_DOUBLE_EQ(*found.time.ok_share(), 1.0);
  EXPECT_TRUE(found.outages.empty());
}

TEST(Availability, ACalendarThatJumpsBackLosesNoTimeTwice) {
  of({change_at(500, kOk), change_at(300, kDown, "process", "x"), change_at(700, kOk)}, 0, 1'000);
}

}  // namespace
}  // namespace compositord::broker
