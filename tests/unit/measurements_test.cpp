// What is measured of a compositor, in virtual time.

#include "agent/core/measurements.h"

#include <gtest/gtest.h>

namespace compositord::agent {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class MeasurementsTest : public testing::Test {
 protected:
  void pass(Duration duration) { now_ = now_ + duration; }
  void answer(Duration took) { measurements_.probe_answered(took, now_); }
  void use(std::uint64_t rss_bytes, Duration cpu_time) { measurements_.usage_seen({rss_bytes, cpu_time}, now_); }
  msg::Metrics report() const { return measurements_.report(now_); }

  Instant now_ = Instant{} + seconds(1'000);
  Measurements measurements_{seconds(10)};
};

TEST_F(MeasurementsTest, WhatIsNotKnownIsAbsent) {
  EXPECT_EQ(report(), msg::Metrics{});
  EXPECT_EQ(measurements_.next_deadline(), kNever);
  EXPECT_FALSE(measurements_.tick(now_));
}

TEST_F(MeasurementsTest, PercentilesAreThoseOfTheLastMinute) {
  answer(seconds(2));
  for (int i = 1; i <= 60; ++i) {
    pass(seconds(1));
    answer(microseconds(100 * i));
  }
  EXPECT_EQ(report().probe_p50_us, 3'100U);  // the long one is one of 61, for the last time
  EXPECT_EQ(report().probe_p99_us, 2'000'000U);
  pass(milliseconds(1));
  EXPECT_EQ(report().probe_p50_us, 3'000U);
  EXPECT_EQ(report().probe_p99_us, 6'000U);
  pass(Measurements::kWindow);
  EXPECT_FALSE(report().probe_p50_us);
  EXPECT_FALSE(report().probe_p99_us);
}

TEST_F(MeasurementsTest, AFloodOfAnswersIsBounded) {
  answer(seconds(1));
  for (std::size_t i = 0; i < Measurements::kRoundTripsMax; ++i) answer(microseconds(5));
  EXPECT_EQ(report().probe_p99_us, 5U);
}

TEST_F(MeasurementsTest, ProcessorTimeIsThatBetweenTwoLooks) {
  measurements_.watch(42, now_);
  use(1 << 20, seconds(100));
  EXPECT_EQ(report().rss_bytes, std::uint64_t{1} << 20);
  EXPECT_FALSE(report().cpu_percent);
  pass(seconds(10));
  use(2 << 20, seconds(100) + milliseconds(310));
  EXPECT_EQ(report().rss_bytes, std::uint64_t{2} << 20);
  EXPECT_EQ(report().cpu_percent, 3.1);
  pass(seconds(10));
  use(2 << 20, seconds(125) + milliseconds(310));
  EXPECT_EQ(report().cpu_percent, 250.0);
  use(2 << 20, seconds(1));
  EXPECT_FALSE(report().cpu_percent) << "less than before: no time has passed, or it is no time of this process";
}

TEST_F(MeasurementsTest, ClientsAreThoseOfTheLastCountUnlessThatFailed) {
  measurements_.watch(42, now_);
  EXPECT_FALSE(report().clients);
  measurements_.clients_seen({0});
  EXPECT_EQ(report().clients, 0U);
  measurements_.clients_seen({12});
  pass(seconds(600));  // nobody could tell a newer number
  EXPECT_EQ(report().clients, 12U);
  measurements_.clients_seen({});
  EXPECT_FALSE(report().clients);
}

TEST_F(MeasurementsTest, LooksOncePerInterval) {
  measurements_.watch(42, now_);
  EXPECT_EQ(measurements_.next_deadline(), now_);
  EXPECT_TRUE(measurements_.tick(now_));
  measurements_.watch(42, now_);  // described anew
  EXPECT_FALSE(measurements_.tick(now_));
  pass(seconds(10));
  EXPECT_EQ(measurements_.next_deadline(), now_);
  EXPECT_TRUE(measurements_.tick(now_));
}

TEST_F(MeasurementsTest, AnotherProcessHasFiguresOfItsOwn) {
  measurements_.watch(42, now_);
  EXPECT_TRUE(measurements_.tick(now_));
  answer(milliseconds(1));
  use(1 << 20, seconds(5));
  measurements_.clients_seen({7});
  measurements_.watch(43, now_);
  EXPECT_TRUE(measurements_.tick(now_));
  EXPECT_FALSE(report().rss_bytes);
  EXPECT_FALSE(report().clients);
  EXPECT_EQ(report().probe_p50_us, 1'000U) << "the display answers as before";
  pass(seconds(10));
  use(1 << 20, seconds(6));
  EXPECT_FALSE(report().cpu_percent);
  measurements_.forget();
  EXPECT_EQ(report(), msg::Metrics{});
  EXPECT_EQ(measurements_.next_deadline(), kNever);
}

}  // namespace
}  // namespace compositord::agent
