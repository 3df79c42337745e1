// Which memory only grows, and what is told of it. Virtual time; a report each 10 minutes.

#include "broker/core/memory_growth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "tests/support/compositor_table_test.h"

namespace compositord::broker {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr Instant kStart = Instant{} + hours(1'000);

class MemoryGrowthTest : public testing::Test {
 protected:
  using Curve = std::function<double(double hours)>;  // MiB
  // Reports for so long, beginning where the last run ended.
  void run(Duration duration, const Curve& curve) {
    const Instant begin = now_;
    for (; now_ < begin + duration; now_ = now_ + minutes(10)) {
      const double h = std::chrono::duration<double, std::ratio<3'600>>(now_ - begin).count();
      growth_.seen(static_cast<std::uint64_t>(curve(h)) * kMiB, now_);
    }
  }
  bool grows() const { return growth_.growth().has_value(); }

  Instant now_ = kStart;
  MemoryGrowth growth_;
};

TEST_F(MemoryGrowthTest, AFastLeakIsFoundAfterTwoHours) {
  run(hours(2), [](double h) { return 200 + 300 * h; });
  EXPECT_FALSE(grows());
  EXPECT_FALSE(growth_.is_calm()) << "nobody knows yet";
  run(minutes(10), [](double) { return 800; });
  ASSERT_TRUE(grows());
  EXPECT_EQ(growth_.growth()->from_bytes, 200 * kMiB);
  EXPECT_EQ(growth_.growth()->to_bytes, 650 * kMiB);
  EXPECT_EQ(growth_.growth()->span, hours(2));
  EXPECT_EQ(growth_text(*growth_.growth()), "the compositor's memory grows: from 200 MiB to 650 MiB in 2 h");
}

TEST_F(MemoryGrowthTest, ASlowLeakIsFoundWithinADay) {
  run(hours(25), [](double h) { return 200 + 20 * h; });
  ASSERT_TRUE(grows());
  EXPECT_EQ(growth_.growth()->span, hours(24));
  EXPECT_EQ(growth_.growth()->to_bytes, 560 * kMiB);
}

TEST_F(MemoryGrowthTest, CachesThatBreatheAndStepsAreNoGrowth) {
  const std::vector<Curve> calm = {
      [](double) { return 300; },
      [](double h) { return std::fmod(h, 1.0) < 0.5 ? 200 : 900; },  // each hour filled and emptied
      [](double h) { return 200 + 600 * std::fmod(h / 1.5, 1.0); },  // filled for an hour and a half
      [](double h) { return h < 3 ? 100 : 900; },                    // somebody began to work
      [](double h) { return h < 12 ? 100 + 5 * h : 800 + 5 * h; },   // … and all else grows slowly
      [](double h) { return 200 + 9 * h; },                          // less than 256 MiB a day
      [](double h) { return 2'000 + 30 * h; }};                      // less than half of what it has
  for (std::size_t i = 0; i < calm.size(); ++i) {
    growth_.forget();
    const Instant end = now_ + hours(72);
    const Instant begin = now_;
    while (now_ < end) {
      const double h = std::chrono::duration<double, std::ratio<3'600>>(now_ - begin).count();
      run(minutes(10), [&](double) { return calm.at(i)(h); });
      ASSERT_FALSE(grows()) << "curve " << i << " after " << h << " h";
    }
    EXPECT_TRUE(growth_.is_calm());
  }
}

TEST_F(MemoryGrowthTest, StaysUntilHalfOfItIsGivenBack) {
  run(hours(2) + minutes(10), [](double h) { return 200 + 300 * h; });
  ASSERT_TRUE(grows());
  run(hours(48), [](double) { return 800; });
  EXPECT_TRUE(grows()) << "it only came to rest";
  run(minutes(10), [](double) { return 430; });
  EXPECT_TRUE(grows());
  run(minutes(10), [](double) { return 425; });
  EXPECT_FALSE(grows());
  EXPECT_TRUE(growth_.is_calm());
  run(hours(24), [](double) { return 800; });
  EXPECT_FALSE(grows()) << "one step";
}

TEST_F(MemoryGrowthTest, ToldAnewWhenHalfAsMuchAgainIsThere) {
  run(hours(2) + minutes(10), [](double h) { return 200 + 300 * h; });
  ASSERT_EQ(growth_.growth()->to_bytes, 650 * kMiB);
  run(minutes(50), [](double h) { return 850 + 300 * h; });
  EXPECT_EQ(growth_.growth()->to_bytes, 650 * kMiB);
  run(hours(1), [](double h) { return 1'100 + 300 * h; });
  EXPECT_GE(growth_.growth()->to_bytes, 975 * kMiB);
  EXPECT_EQ(growth_.growth()->from_bytes, 200 * kMiB);
  EXPECT_GT(growth_.growth()->span, hours(3));
}

TEST_F(MemoryGrowthTest, WhatNobodySawIsNoGrowthAndALongAbsenceForgetsAll) {
  run(hours(1), [](double) { return 200; });
  now_ = now_ + hours(1);  // the agent was away
  run(minutes(50), [](double) { return 900; });
  EXPECT_FALSE(grows());
  EXPECT_FALSE(growth_.is_calm());
  now_ = now_ + hours(1'000);
  run(hours(1), [](double h) { return 1'000 + 1'000 * h; });
  EXPECT_FALSE(grows());
  EXPECT_FALSE(growth_.is_calm());
}

TEST_F(MemoryGrowthTest, AnyNumbersAtAnyTimeAreTaken) {
  now_ = Instant{};  // a host that has just started
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  for (int i = 0; i < 400; ++i, now_ = now_ + minutes(i % 7 * 5)) {
    growth_.seen(i % 3 == 0 ? kMost : i % 3 == 1 ? 0 : kMost / static_cast<std::uint64_t>(400 - i), now_);
  }
}

// The table's part: the alert of one compositor, from its reports and manifests.
class MemoryAlertTest : public CompositorTableTest {
 protected:
  MemoryAlertTest() : CompositorTableTest(kStart) { table_.admit(kId, {}, calendar()); }

  void report(std::uint64_t mib, msg::Process process = msg::Process::kRunning) {
    msg::StatusReport report;
    report.sent_at = report.process.since = report.process.observed_at = calendar();
    report.process.state = process;
    report.progress.state = msg::Progress::kOk;
    if (mib > 0) report.metrics = msg::Metrics{};
    if (mib > 0) report.metrics->rss_bytes = mib * kMiB;
    table_.report(kId, report, now(), out_);
    now_ = now_ + minutes(10);
  }
  void put(std::uint64_t pid) {
    msg::Manifest manifest;
    manifest.name = "sway";
    manifest.pid = pid;
    ASSERT_TRUE(table_.put_manifest(kId, to_value(manifest), now(), out_));
  }
  void leak() {
    table_.set_link(kId, msg::Link::kConnected, "it registered", calendar(), now(), out_);
    put(42);
    for (std::uint64_t i = 0; i <= 12; ++i) report(200 + 50 * i);
  }

  const msg::CompositorId kId{"wall/w1"};
};

TEST_F(MemoryAlertTest, SaysWhatGrewAndWhatToTryAndLeavesTheVerdict) {
  leak();
  ASSERT_THAT(firing(), SizeIs(1));
  const msg::Alert alert = firing().front();
  EXPECT_EQ(alert.kind, msg::AlertKind::kMemoryGrowth);
  EXPECT_EQ(alert.about, "memory");
  EXPECT_EQ(alert.severity, msg::AlertSeverity::kWarning);
  EXPECT_EQ(alert.text, "the compositor's memory grows: from 200 MiB to 650 MiB in 2 h");
  EXPECT_THAT(alert.seen, HasSubstr("800 MiB are resident now"));
  EXPECT_THAT(alert.advice, HasSubstr("restart it"));
  EXPECT_EQ(table_.find("wall/w1")->status.verdict, msg::Verdict::kOk);
  const std::uint64_t change = alert.change;
  report(810);
  EXPECT_EQ(firing().front().change, change) << "a report more is no news";
}

TEST_F(MemoryAlertTest, EndsWhenItIsGivenBack) {
  leak();
  report(300);
  EXPECT_THAT(firing(), IsEmpty());
}

TEST_F(MemoryAlertTest, EndsWithTheProcess) {
  leak();
  report(0);
  EXPECT_THAT(firing(), SizeIs(1)) << "an agent that does not tell has not seen it end";
  report(0, msg::Process::kExited);
  for (const msg::Alert& alert : firing()) EXPECT_NE(alert.kind, msg::AlertKind::kMemoryGrowth);
}

TEST_F(MemoryAlertTest, EndsWithAManifestOfAnotherProcess) {
  leak();
  put(42);
  EXPECT_THAT(firing(), SizeIs(1));
  put(43);
  EXPECT_THAT(firing(), IsEmpty());
  report(900);
  EXPECT_THAT(firing(), IsEmpty()) << "what the old one used is not its own";
}

}  // namespace
}  // namespace compositord::broker
