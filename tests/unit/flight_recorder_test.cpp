// What is told of a crash, and that it has an end in every direction.

#include "agent/core/flight_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace compositord::agent {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::SizeIs;

class FlightRecorderTest : public testing::Test {
 protected:
  msg::Crash report() const { return recorder_.report(now_, 1'000'000); }

  FlightRecorder recorder_;
  Instant now_ = Instant() + seconds(100);
};

TEST_F(FlightRecorderTest, PutsLinesTogetherThatCameInPieces) {
  for (const char* piece : {"one\ntw", "o\n", "\nthr", "ee"}) recorder_.printed(piece);
  EXPECT_THAT(report().log, ElementsAre("one", "two", "", "three"));
}

TEST_F(FlightRecorderTest, ANewProcessHasSaidNothing) {
  recorder_.printed("one\ntwo");
  recorder_.forget_output();
  recorder_.printed("three\n");
  EXPECT_THAT(report().log, ElementsAre("three"));
}

TEST_F(FlightRecorderTest, KeepsTheLastLines) {
  for (int i = 0; i < 1000; ++i) recorder_.printed(std::to_string(i) + "\n");
  const msg::Crash crash = report();
  ASSERT_THAT(crash.log, SizeIs(FlightRecorder::kLinesMax));
  EXPECT_EQ(crash.log.front(), "800");
  EXPECT_EQ(crash.log.back(), "999");
}

TEST_F(FlightRecorderTest, CutsALineWhereverItWasCutBefore) {
  for (int i = 0; i < 100'000; ++i) recorder_.printed("0123456789");
  recorder_.printed("\nnext\n");
  const msg::Crash crash = report();
  ASSERT_THAT(crash.log, SizeIs(2));
  EXPECT_EQ(crash.log[0].size(), FlightRecorder::kLineBytesMax);
  EXPECT_EQ(crash.log[1], "next");
}

TEST_F(FlightRecorderTest, AnyBytesBecomePrintableText) {
  recorder_.printed("\x1b[31mred\xff\n");
  EXPECT_THAT(report().log, ElementsAre("\\x1b[31mred\\xff"));
}

TEST_F(FlightRecorderTest, AFloodGivesAReportThatTheBrokerTakes) {
  for (int i = 0; i < 1000; ++i) {
    recorder_.printed(std::string(2000, '\x01') + "\n");
    recorder_.event(now_, std::string(1000, 'e'));
    recorder_.probe(now_, seconds(1));
  }
  const msg::Crash crash = report();
  msg::StatusReport whole;
  whole.crash = crash;
  EXPECT_EQ(msg::excess_of(whole), "");
  EXPECT_GT(crash.log.size(), 30U);
  EXPECT_LT(msg::encode_msgpack(to_value(crash)).size(), 32U * 1024U);
}

TEST_F(FlightRecorderTest, RemembersAMinuteWithItsTimes) {
  recorder_.event(now_, "long ago");
  recorder_.probe(now_, std::chrono::microseconds(100));
  now_ = now_ + seconds(61);
  recorder_.event(now_ - seconds(1), "just now");
  recorder_.probe(now_ - seconds(1), std::chrono::microseconds(250));
  const msg::Crash crash = report();
  EXPECT_EQ(crash.at.ms, 1'000'000 + 161'000);
  ASSERT_THAT(crash.events, SizeIs(1));
  EXPECT_EQ(crash.events[0].text, "just now");
  EXPECT_EQ(crash.events[0].at.ms, 1'000'000 + 160'000);
  ASSERT_THAT(crash.probes, SizeIs(1));
  EXPECT_EQ(crash.probes[0].round_trip_ms, 0.25);
}

TEST_F(FlightRecorderTest, DoesNotCutACharacterInTwo) {
  recorder_.event(now_, std::string(FlightRecorder::kEventBytesMax - 1, 'e') + "ß");
  EXPECT_EQ(report().events[0].text, std::string(FlightRecorder::kEventBytesMax - 1, 'e'));
}

}  // namespace
}  // namespace compositord::agent
