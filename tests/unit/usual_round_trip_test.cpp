// What is slow for this compositor, in virtual time. Seeds are printed with what fails.

#include "agent/core/usual_round_trip.h"

#include <gtest/gtest.h>

#include <functional>

#include "common/base/random.h"

namespace compositord::agent {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Duration kLimit = milliseconds(300);

class UsualRoundTripTest : public testing::Test {
 protected:
  // How often slow() changed.
  int answer(std::size_t times, Duration round_trip) {
    int changes = 0;
    for (std::size_t i = 0; i < times; ++i) changes += usual_.answered(round_trip) ? 1 : 0;
    return changes;
  }
  UsualRoundTrip usual_{kLimit};
};

TEST_F(UsualRoundTripTest, KnowsOnlyTheFixedLimitBeforeItHasLearnedEnough) {
  EXPECT_EQ(usual_.slow_beyond(), kLimit);
  EXPECT_EQ(answer(UsualRoundTrip::kEnough - 1, milliseconds(3)), 0);
  EXPECT_EQ(usual_.slow_beyond(), kLimit);
  EXPECT_EQ(answer(1, milliseconds(3)), 0);
  EXPECT_EQ(usual_.slow_beyond(), UsualRoundTrip::kFloor);
  EXPECT_EQ(usual_.usual(), milliseconds(3));
}

TEST_F(UsualRoundTripTest, IsSlowAfterAStreakAndWellAfterCalm) {
  answer(100, milliseconds(3));
  EXPECT_EQ(answer(UsualRoundTrip::kStreak - 1, milliseconds(120)), 0);
  EXPECT_FALSE(usual_.slow());
  EXPECT_EQ(answer(1, milliseconds(120)), 1);
  EXPECT_TRUE(usual_.slow());
  EXPECT_EQ(answer(UsualRoundTrip::kCalm - 1, milliseconds(3)), 0);
  EXPECT_TRUE(usual_.slow());
  EXPECT_EQ(answer(1, milliseconds(3)), 1);
  EXPECT_FALSE(usual_.slow());
}

TEST_F(UsualRoundTripTest, AShorterStreakAndAnInterruptedOneAreNothing) {
  answer(100, milliseconds(3));
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(answer(UsualRoundTrip::kStreak - 1, milliseconds(120)), 0);
    EXPECT_EQ(answer(1, milliseconds(3)), 0);
  }
  EXPECT_FALSE(usual_.slow());
}

TEST_F(UsualRoundTripTest, LearnsNothingWhileItIsSlow) {
  answer(100, milliseconds(3));
  answer(10'000, milliseconds(120));
  EXPECT_TRUE(usual_.slow()) << "it got used to being slow";
  EXPECT_EQ(usual_.usual(), milliseconds(3));
  EXPECT_EQ(usual_.slow_beyond(), UsualRoundTrip::kFloor);
}

TEST_F(UsualRoundTripTest, LearnsNothingFromProbesBeyondTheFixedLimit) {
  for (int i = 0; i < 200; ++i) {
    answer(1, milliseconds(5'000));
    answer(1, milliseconds(3));
  }
  EXPECT_EQ(usual_.usual(), milliseconds(3));
  EXPECT_EQ(usual_.slow_beyond(), UsualRoundTrip::kFloor);
}

TEST_F(UsualRoundTripTest, OneAtTheLimitDoesNotFlap) {
  answer(100, milliseconds(3));
  answer(UsualRoundTrip::kStreak, milliseconds(51));
  ASSERT_TRUE(usual_.slow());
  int changes = 0;
  for (int i = 0; i < 1000; ++i) changes += answer(1, i % 2 == 0 ? milliseconds(49) : milliseconds(51));
  EXPECT_EQ(changes, 0);
  EXPECT_EQ(answer(UsualRoundTrip::kCalm, usual_.well_within()), 1);
}

TEST_F(UsualRoundTripTest, TheFixedLimitIsTheUpperBound) {
  answer(100, milliseconds(200));  // eight times that would be 1.6 s
  EXPECT_EQ(usual_.slow_beyond(), kLimit);
  EXPECT_EQ(answer(UsualRoundTrip::kStreak, milliseconds(301)), 1);
  EXPECT_EQ(answer(UsualRoundTrip::kCalm, milliseconds(200)), 1) << "its usual is well, however long that is";
}

TEST_F(UsualRoundTripTest, AChangeForTheBetterIsLearned) {
  answer(300, milliseconds(30));
  EXPECT_EQ(usual_.slow_beyond(), milliseconds(240));
  answer(300, milliseconds(10));
  EXPECT_EQ(usual_.slow_beyond(), milliseconds(80));
}

TEST_F(UsualRoundTripTest, ANewProcessHasNoPast) {
  answer(100, milliseconds(3));
  answer(UsualRoundTrip::kStreak, milliseconds(120));
  usual_.forget();
  EXPECT_FALSE(usual_.slow());
  EXPECT_EQ(usual_.slow_beyond(), kLimit);
  EXPECT_EQ(answer(100, milliseconds(120)), 0) << "that is what this one takes";
}

// --- four hours of a noisy compositor each, one probe a second ---

struct Noise {
  std::string name;
  std::function<Duration(Random&)> next;
};

class NoisyCompositor : public testing::TestWithParam<Noise> {};

INSTANTIATE_TEST_SUITE_P(
    Kinds, NoisyCompositor,
    testing::Values(Noise{"quick_with_rare_long_ones",
                          [](Random& r) {
                            return r.chance(2, 100) ? r.between(milliseconds(60), milliseconds(280))
                                                    : r.between(microseconds(80), microseconds(300));
                          }},
                    Noise{"two_modes",
                          [](Random& r) {
                            return r.chance(4, 10) ? r.between(milliseconds(55), milliseconds(90))
                                                   : r.between(milliseconds(1), milliseconds(4));
                          }},
                    Noise{"paints_when_it_likes",
                          [](Random& r) { return r.between(milliseconds(1), milliseconds(90)); }},
                    Noise{"slow_machine", [](Random& r) { return r.between(milliseconds(40), milliseconds(240)); }}),
    [](const auto& noise) { return noise.param.name; });

TEST_P(NoisyCompositor, IsNotCalledSlowInHoursAndStillIsWhenItReallyIs) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    UsualRoundTrip usual(kLimit);
    for (int second = 0; second < 14'400; ++second) {
      ASSERT_FALSE(usual.answered(GetParam().next(random)))
          << "after " << second << " s; usual " << to_ms(usual.usual()) << " ms, limit " << to_ms(usual.slow_beyond());
    }
    for (std::size_t i = 0; i < UsualRoundTrip::kStreak; ++i) usual.answered(milliseconds(310));
    EXPECT_TRUE(usual.slow());
    int changes = 0;
    for (int second = 0; second < 3'600; ++second) changes += usual.answered(GetParam().next(random)) ? 1 : 0;
    EXPECT_EQ(changes, 1) << "well again once, and for good";
  }
}

}  // namespace
}  // namespace compositord::agent
