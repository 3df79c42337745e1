// common/base: time as a value, statuses, results, the bounded queue, random numbers and the text of log events.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <unordered_set>

#include "common/base/bounded_queue.h"
#include "common/base/check.h"
#include "common/base/error_code.h"
#include "common/base/glob.h"
#include "common/base/histogram.h"
#include "common/base/instant.h"
#include "common/base/log_event.h"
#include "common/base/random.h"
#include "common/base/result.h"
#include "common/base/strong_type.h"

namespace compositord {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Instant, AddsAndSubtractsDurations) {
  const Instant start = Instant::from_ns(1'000);
  EXPECT_EQ((start + milliseconds(2)).ns(), 2'001'000);
  EXPECT_EQ((start - Duration(1)).ns(), 999);
  EXPECT_EQ(start + seconds(3) - start, seconds(3));
  EXPECT_EQ((start + seconds(-1)).ns(), 1'000 - 1'000'000'000);
}

TEST(Instant, IsOrderedAndNeverIsTheLatest) {
  EXPECT_LT(Instant::from_ns(1), Instant::from_ns(2));
  EXPECT_EQ(Instant(), Instant::from_ns(0));
  EXPECT_LT(Instant::from_ns(kNever.ns() - 1), kNever);
}

TEST(Instant, NeverPlusSomethingStaysNever) {
  EXPECT_EQ(kNever + seconds(1), kNever);
  EXPECT_EQ(kNever + seconds(-1), kNever);
  EXPECT_EQ(Instant::from_ns(kNever.ns() - 5) + Duration(6), kNever);
  EXPECT_LT(Instant::from_ns(kNever.ns() - 5) + Duration(4), kNever);
}

TEST(Instant, MillisecondsAreCutNotRounded) {
  EXPECT_EQ(to_ms(std::chrono::microseconds(1'999)), 1);
  EXPECT_EQ(to_ms(std::chrono::microseconds(-1'999)), -1);
}

TEST(Status, RegistryIsAscendingAndUniqueAndSnakeCase) {
  const auto& registry = status_registry();
  EXPECT_TRUE(std::is_sorted(registry.begin(), registry.end(),
                             [](const StatusInfo& a, const StatusInfo& b) { return a.status < b.status; }));
  std::set<std::string_view> names;
  for (const StatusInfo& info : registry) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_EQ(info.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos) << info.name;
    EXPECT_FALSE(info.meaning.empty()) << info.name;
    EXPECT_EQ(status_name(info.status), info.name);
    EXPECT_GE(to_number(info.status), 200);
    EXPECT_LE(to_number(info.status), 599);
  }
}

TEST(Status, OnlyTheTwoHundredsWithoutPartlyAndNotModifiedAreSuccesses) {
  for (const StatusInfo& info : status_registry()) {
    EXPECT_EQ(is_success(info.status),
              info.status == Status::kDone || info.status == Status::kQueued || info.status == Status::kNotModified)
        << info.name;
  }
}

TEST(Status, ANumberOutsideTheRegistryHasANameToo) { EXPECT_EQ(status_name(static_cast<Status>(299)), "unknown"); }

TEST(Result, CarriesAValueOrAnError) {
  const auto half = [](int n) -> Result<int> {
    if (n % 2 != 0) return fail(Status::kMalformed, "7 is odd");
    return n / 2;
  };
  ASSERT_TRUE(half(8));
  EXPECT_EQ(*half(8), 4);
  ASSERT_FALSE(half(7));
  EXPECT_EQ(half(7).error().status, Status::kMalformed);
  EXPECT_EQ(half(7).error().text, "7 is odd");
}

TEST(StrongType, ComparesAndHashesByItsValue) {
  using Name = StrongType<std::string, struct NameTag>;
  using Place = StrongType<std::string, struct PlaceTag>;
  static_assert(!std::is_convertible_v<std::string, Name>);
  static_assert(!std::is_convertible_v<Place, Name>);
  EXPECT_EQ(Name("a"), Name("a"));
  EXPECT_LT(Name("a"), Name("b"));
  EXPECT_EQ(Name().value(), "");
  const std::unordered_set<Name> names{Name("a"), Name("b"), Name("a")};
  EXPECT_EQ(names.size(), 2U);
}

TEST(BoundedQueue, IsFirstInFirstOut) {
  BoundedQueue<int> queue(3, 100);
  EXPECT_TRUE(queue.empty());
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(queue.push(i, 10));
  EXPECT_EQ(queue.front(), 1);
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), 2);
  EXPECT_EQ(queue.pop(), 3);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(BoundedQueue, RefusesOneItemTooMany) {
  BoundedQueue<int> queue(2, 100);
  EXPECT_TRUE(queue.push(1, 0));
  EXPECT_TRUE(queue.push(2, 0));
  EXPECT_FALSE(queue.push(3, 0));
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_TRUE(queue.push(3, 0));
}

TEST(BoundedQueue, RefusesOneByteTooMany) {
  BoundedQueue<int> queue(10, 100);
  EXPECT_TRUE(queue.push(1, 60));
  EXPECT_FALSE(queue.push(2, 41));
  EXPECT_FALSE(queue.push(2, static_cast<std::size_t>(-1))) << "a size that wraps around";
  EXPECT_EQ(queue.bytes(), 60U);
  EXPECT_TRUE(queue.push(2, 40));
  EXPECT_EQ(queue.bytes(), 100U);
}

TEST(BoundedQueue, WhatIsPutBackIsTheNextOneOut) {
  BoundedQueue<int> queue(2, 20);
  ASSERT_TRUE(queue.push(1, 10));
  ASSERT_TRUE(queue.push(2, 10));
  queue.push_front(queue.pop(), 10);
  EXPECT_EQ(queue.bytes(), 20U);
  EXPECT_FALSE(queue.push(3, 0));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), 2);
}

TEST(BoundedQueue, HoldsItemsThatCanOnlyBeMoved) {
  BoundedQueue<std::unique_ptr<int>> queue(1, 1);
  ASSERT_TRUE(queue.push(std::make_unique<int>(7), 1));
  EXPECT_EQ(*queue.pop(), 7);
}

TEST(BoundedQueueDeathTest, PoppingFromAnEmptyOneIsAProgrammersError) {
  BoundedQueue<int> queue(1, 1);
  EXPECT_DEATH(queue.pop(), "CHECK failed: !items_.empty()");
}

TEST(CheckDeathTest, NamesTheConditionAndThePlace) {
  const int one = 1;
  CHECK(one == 1);
  EXPECT_DEATH(CHECK(one == 2), "base_test.cpp:[0-9]+: CHECK failed: one == 2");
}

TEST(Random, FollowsTheReferenceSequence) {
  // SplitMix64 with seed 1234567, as the authors' reference implementation prints it.
  Random random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317U);
  EXPECT_EQ(random.next(), 3203168211198807973U);
  EXPECT_EQ(random.next(), 9817491932198370423U);
}

TEST(Random, TheSameSeedGivesTheSameNumbers) {
  Random a(42);
  Random b(42);
  Random c(43);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
}

TEST(Random, StaysBelowItsBoundAndReachesEveryValue) {
  Random random(1);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(random.below(5));
  EXPECT_THAT(seen, testing::ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(random.below(1), 0U);
  EXPECT_EQ(random.below(0), 0U);
}

TEST(Random, BetweenIncludesBothEnds) {
  Random random(1);
  std::set<Duration> seen;
  for (int i = 0; i < 200; ++i) seen.insert(random.between(Duration(-1), Duration(2)));
  EXPECT_THAT(seen, testing::ElementsAre(Duration(-1), Duration(0), Duration(1), Duration(2)));
  EXPECT_EQ(random.between(Duration(5), Duration(5)), Duration(5));
  EXPECT_EQ(random.between(Duration(5), Duration(4)), Duration(5));
}

TEST(Random, ChanceIsNeverAtZeroAndAlwaysAtOne) {
  Random random(1);
  int hits = 0;
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_FALSE(random.chance(0, 3));
    EXPECT_TRUE(random.chance(3, 3));
    if (random.chance(1, 4)) ++hits;
  }
  EXPECT_GT(hits, 200);
  EXPECT_LT(hits, 300);
}

TEST(LogEvent, IsOneLineWithItsFieldsInOrder) {
  const LogEvent event = LogEvent(Severity::kWarning, "agent.lost").with("id", "wall-3/wayland-1").with("missed", "3");
  EXPECT_EQ(to_text(event), "agent.lost id=wall-3/wayland-1 missed=3");
  EXPECT_EQ(to_text(LogEvent(Severity::kInfo, "broker.started")), "broker.started");
}

TEST(LogEvent, QuotesWhatAReaderCouldNotTellApart) {
  EXPECT_EQ(to_text(LogEvent(Severity::kInfo, "e").with("why", "no heartbeat")), "e why=\"no heartbeat\"");
  EXPECT_EQ(to_text(LogEvent(Severity::kInfo, "e").with("why", "")), "e why=\"\"");
  EXPECT_EQ(to_text(LogEvent(Severity::kInfo, "e").with("why", "a=b")), "e why=\"a=b\"");
  EXPECT_EQ(to_text(LogEvent(Severity::kInfo, "e").with("why", "say \"x\"")), "e why=\"say \\\"x\\\"\"");
}

TEST(LogEvent, APeerCanNotCloseItsQuotesAndAddAField) {
  EXPECT_EQ(to_text(LogEvent(Severity::kInfo, "e").with("why", "x\\\" id=\"me")), "e why=\"x\\\\\\\" id=\\\"me\"");
}

TEST(LogEvent, APeerCanNotWriteASecondLineOrAnEscapeSequence) {
  EXPECT_EQ(escape_for_log("a\nb\r\t\x1b[31m\x7f"), "a\\x0ab\\x0d\\x09\\x1b[31m\\x7f");
  EXPECT_EQ(escape_for_log(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(escape_for_log("\xc2\x9b"
                           "2J"),
            "\\xc2\\x9b"
            "2J")
      << "U+009B is CSI for some terminals";
}

TEST(LogEvent, AnEscapeCanNotBeMistakenForTextThatLooksLikeIt) {
  EXPECT_NE(escape_for_log("\n"), escape_for_log("\\x0a"));
  EXPECT_EQ(escape_for_log("C:\\x"), "C:\\\\x");
}

TEST(LogEvent, KeepsWellFormedUtf8AndEscapesTheRest) {
  EXPECT_EQ(escape_for_log("Küche 日本 😀"), "Küche 日本 😀");
  EXPECT_EQ(escape_for_log("\xff"), "\\xff");
  EXPECT_EQ(escape_for_log(std::string_view("\xc3\xa9", 1)), "\\xc3") << "what lies behind the view is not ours";
  EXPECT_EQ(escape_for_log("\xc3z"), "\\xc3z") << "no continuation";
  EXPECT_EQ(escape_for_log("\xc0\xaf"), "\\xc0\\xaf") << "overlong";
  EXPECT_EQ(escape_for_log("\xe0\x80\x80"), "\\xe0\\x80\\x80") << "overlong";
  EXPECT_EQ(escape_for_log("\xf0\x80\x80\x80"), "\\xf0\\x80\\x80\\x80") << "overlong";
  EXPECT_EQ(escape_for_log("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(escape_for_log("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond U+10FFFF";
}

TEST(LogEvent, CutsWhatIsTooLong) {
  EXPECT_EQ(escape_for_log("abcdef", 3), "abc…");
  EXPECT_EQ(escape_for_log("abc", 3), "abc");
  EXPECT_EQ(escape_for_log(std::string(1'000, 'x')).size(), 256 + std::string_view("…").size());
}

TEST(LogEvent, SeveritiesHaveNames) {
  EXPECT_EQ(severity_name(Severity::kDebug), "debug");
  EXPECT_EQ(severity_name(Severity::kInfo), "info");
  EXPECT_EQ(severity_name(Severity::kWarning), "warning");
  EXPECT_EQ(severity_name(Severity::kError), "error");
}

TEST(Glob, StarsTakeAnythingAndQuestionMarksOneByte) {
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("wall-*/wayland-?", "wall-12/wayland-1"));
  EXPECT_FALSE(glob_matches("wall-*/wayland-?", "wall-12/wayland-10"));
  EXPECT_TRUE(glob_matches("*a*b*c", "xxaxbxbxc"));
  EXPECT_FALSE(glob_matches("*a*b*c", "xxaxbxbxcx"));
  EXPECT_FALSE(glob_matches("a?", "a"));
  EXPECT_TRUE(glob_matches("a/b", "a/b"));
}

TEST(Glob, ManyStarsDoNotTakeForEver) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(20'000, 'a')));
}

TEST(Histogram, QuantilesAreAtMostAnEighthTooLong) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), Duration{});
  for (int i = 1; i <= 10'000; ++i) histogram.add(std::chrono::microseconds(i));
  for (const auto& [q, us] : {std::pair(0.5, 5'000.0), std::pair(0.99, 9'900.0), std::pair(0.999, 9'990.0)}) {
    const double got = std::chrono::duration<double, std::micro>(histogram.quantile(q)).count();
    EXPECT_GE(got, us);
    EXPECT_LE(got, us * 1.126);
  }
  EXPECT_EQ(histogram.quantile(1.0), milliseconds(10));
  EXPECT_EQ(histogram.max(), milliseconds(10));
  EXPECT_EQ(histogram.count(), 10'000U);
}

TEST(Histogram, TakesWhatIsOutOfRange) {
  Histogram histogram;
  histogram.add(Duration{-5});
  histogram.add(Duration{1});
  EXPECT_LE(histogram.quantile(0.5), Duration{1});
  histogram.add(std::chrono::hours(10'000));
  EXPECT_EQ(histogram.max(), std::chrono::hours(10'000));
  EXPECT_GT(histogram.quantile(1.0), std::chrono::hours(4));
}

}  // namespace
}  // namespace compositord
