// The broker's timers.

#include "broker/core/timer_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "common/base/random.h"

namespace compositord::broker {
namespace {

using std::chrono::milliseconds;

Instant at_ms(std::int64_t ms) { return Instant() + milliseconds(ms); }

TEST(TimerQueue, IsNeverDueWhenEmpty) {
  TimerQueue timers;
  EXPECT_EQ(timers.next(), kNever);
  EXPECT_FALSE(timers.pop_due(kNever).has_value());
}

TEST(TimerQueue, GivesWhatIsDueInTheOrderOfDeadlinesThenOfArming) {
  TimerQueue timers;
  timers.arm(at_ms(20), TimerKind::kWorkerHeartbeat, 1);
  timers.arm(at_ms(10), TimerKind::kWorkerHeartbeat, 2);
  timers.arm(at_ms(10), TimerKind::kRequestDeadline, 3);
  timers.arm(at_ms(30), TimerKind::kBusTick, 4);
  EXPECT_EQ(timers.next(), at_ms(10));
  EXPECT_FALSE(timers.pop_due(at_ms(9)).has_value());
  std::vector<std::uint64_t> keys;
  while (const auto timer = timers.pop_due(at_ms(20))) keys.push_back(timer->key);
  EXPECT_EQ(keys, (std::vector<std::uint64_t>{2, 3, 1}));
  EXPECT_EQ(timers.next(), at_ms(30));
}

TEST(TimerQueue, CancelSetsTheIdToNoneAndCancellingNoneDoesNothing) {
  TimerQueue timers;
  TimerId id = timers.arm(at_ms(10), TimerKind::kBusTick, 1);
  EXPECT_NE(id, 0U);
  timers.cancel(id);
  EXPECT_EQ(id, 0U);
  timers.cancel(id);
  EXPECT_EQ(timers.size(), 0U);
  EXPECT_EQ(timers.next(), kNever);
}

TEST(TimerQueue, ShiftMovesEveryDeadlineAndKeepsTheOrder) {
  TimerQueue timers;
  timers.arm(at_ms(10), TimerKind::kBusTick, 1);
  timers.arm(at_ms(20), TimerKind::kBusTick, 2);
  timers.shift_all(milliseconds(500));
  EXPECT_EQ(timers.next(), at_ms(510));
  EXPECT_FALSE(timers.pop_due(at_ms(509)).has_value());
  EXPECT_EQ(timers.pop_due(at_ms(520))->key, 1U);
  EXPECT_EQ(timers.pop_due(at_ms(520))->key, 2U);
}

TEST(TimerQueueDeathTest, CancellingATimerThatWasDueIsAProgrammersError) {
  TimerQueue timers;
  TimerId id = timers.arm(at_ms(10), TimerKind::kBusTick, 1);
  timers.pop_due(at_ms(10));
  EXPECT_DEATH(timers.cancel(id), "");
}

// Against the plainest model there is: a list that is searched.
TEST(TimerQueue, AgreesWithASearchedListOverManyRandomSteps) {
  struct Entry {
    Instant at;
    std::uint64_t key;
    TimerId id;
  };
  Random random(7);
  TimerQueue timers;
  std::vector<Entry> model;  // in order of arming
  std::uint64_t last_key = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t dice = random.below(10);
    if (dice < 5) {
      const Instant at = at_ms(step + static_cast<std::int64_t>(random.below(50)));
      model.push_back({at, ++last_key, timers.arm(at, TimerKind::kRequestDeadline, last_key)});
    } else if (dice < 7 && !model.empty()) {
      const auto victim = model.begin() + static_cast<std::ptrdiff_t>(random.below(model.size()));
      timers.cancel(victim->id);
      model.erase(victim);
    } else {
      const auto earlier = [](const Entry& a, const Entry& b) { return a.at < b.at; };
      const auto first = std::min_element(model.begin(), model.end(), earlier);
      const auto due = timers.pop_due(at_ms(step));
      ASSERT_EQ(due.has_value(), first != model.end() && first->at <= at_ms(step));
      if (due) {
        ASSERT_EQ(due->key, first->key);
        model.erase(first);
      }
    }
    ASSERT_EQ(timers.size(), model.size());
    ASSERT_TRUE(timers.check_invariants());
  }
}

}  // namespace
}  // namespace compositord::broker
