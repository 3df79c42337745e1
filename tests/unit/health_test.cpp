// The agent's judgement of its compositor, in virtual time.

#include "agent/core/health.h"

#include <gtest/gtest.h>

namespace compositord::agent {
namespace {

using msg::Process;
using msg::Progress;
using std::chrono::milliseconds;

Instant at_ms(std::int64_t ms) { return Instant() + milliseconds(ms); }

class HealthTest : public testing::Test {
 protected:
  // Ticks at each deadline until `to_ms`, as the loop does. Unless frozen_, the compositor answers each probe at once.
  void run(std::int64_t to_ms) {
    while (health_.next_deadline() <= at_ms(to_ms)) {
      const Instant now = std::max(now_, health_.next_deadline());
      HealthActions actions;
      health_.tick(now, actions);
      probes_ += actions.start_probe ? 1 : 0;
      looks_ += actions.look_at_process ? 1 : 0;
      now_ = now;
      ASSERT_GT(health_.next_deadline(), now) << "a deadline that is due again at once";
      if (actions.start_probe && !frozen_) health_.probe_answered(now);
    }
    now_ = at_ms(to_ms);
  }
  void start() {
    health_.driver_started(at_ms(0));
    health_.described(at_ms(10));
  }
  msg::StatusReport report() const { return health_.report(now_, 0); }
  Progress progress() const { return report().progress.state; }

  Health health_{HealthConfig{}, at_ms(0)};
  Instant now_;
  int probes_ = 0;
  int looks_ = 0;
  bool frozen_ = false;
};

TEST_F(HealthTest, KnowsNothingBeforeThereIsACompositor) {
  EXPECT_EQ(health_.next_deadline(), kNever);
  EXPECT_FALSE(health_.has_compositor());
  EXPECT_EQ(report().process.state, Process::kUnknown);
  EXPECT_EQ(progress(), Progress::kUnknown);
}

TEST_F(HealthTest, TheFirstDescriptionAnswersTheFirstRoundTrip) {
  health_.driver_started(at_ms(0));
  EXPECT_EQ(report().process.state, Process::kRunning);
  EXPECT_EQ(progress(), Progress::kUnknown);
  EXPECT_TRUE(health_.described(at_ms(10)));
  EXPECT_EQ(progress(), Progress::kOk);
  EXPECT_EQ(report().progress.round_trip_ms, 10.0);
}

TEST_F(HealthTest, ASlowStarterIsWellOnceItHasDescribedItself) {
  health_.driver_started(at_ms(0));
  run(2'500);
  EXPECT_EQ(progress(), Progress::kSuspect);
  EXPECT_TRUE(health_.described(at_ms(2'500)));
  EXPECT_EQ(progress(), Progress::kOk);
  run(20'000);
  EXPECT_EQ(progress(), Progress::kOk);
}

TEST_F(HealthTest, ProbesOnceInEachIntervalWhileAllIsWell) {
  start();
  run(10'500);
  EXPECT_EQ(probes_, 10);
  EXPECT_EQ(looks_, 0);
  EXPECT_EQ(progress(), Progress::kOk);
}

// The promise of the product: suspect within 3 s of the freeze, frozen within 5 s, whenever it begins.
TEST_F(HealthTest, AFreezeIsSuspectWithin3SecondsAndFrozenWithin5) {
  for (std::int64_t freeze_ms = 20; freeze_ms < 2'100; freeze_ms += 130) {
    health_ = Health(HealthConfig{}, at_ms(0));
    now_ = at_ms(0);
    frozen_ = false;
    start();
    run(freeze_ms);
    frozen_ = true;
    run(freeze_ms + 3'000);
    EXPECT_EQ(progress(), Progress::kSuspect) << freeze_ms;
    run(freeze_ms + 5'000);
    EXPECT_EQ(progress(), Progress::kFrozen) << freeze_ms;
  }
}

TEST_F(HealthTest, ThereIsNeverASecondProbeBeforeTheAnswerAndTheKernelIsAskedMeanwhile) {
  start();
  frozen_ = true;
  run(20'000);
  EXPECT_EQ(probes_, 1);
  EXPECT_GE(looks_, 15);
  EXPECT_TRUE(health_.probe_answered(at_ms(20'000)));
  EXPECT_EQ(progress(), Progress::kOk);
  EXPECT_FALSE(health_.probe_answered(at_ms(20'001)));  // an answer to nothing
}

TEST_F(HealthTest, ADescriptionDoesNotAnswerALaterProbe) {
  start();
  frozen_ = true;
  run(4'000);
  EXPECT_FALSE(health_.described(at_ms(4'000)));
  EXPECT_EQ(progress(), Progress::kSuspect);
}

TEST_F(HealthTest, TheCauseOfALateProbeIsToldAndForgottenWithTheAnswer) {
  start();
  EXPECT_FALSE(health_.cause_seen({true, "stopped"}, at_ms(20)));  // nothing is late
  frozen_ = true;
  run(3'000);
  EXPECT_TRUE(health_.cause_seen({true, "stopped"}, at_ms(3'000)));
  EXPECT_FALSE(health_.cause_seen({true, "stopped"}, at_ms(3'100)));
  EXPECT_EQ(report().process.state, Process::kStopped);
  EXPECT_EQ(report().progress.cause, "stopped");
  health_.probe_answered(at_ms(3'200));
  EXPECT_EQ(report().process.state, Process::kRunning);
  EXPECT_EQ(report().progress.cause, "");
}

TEST_F(HealthTest, OneThatAnswersAndDrawsNothingIsSlowUntilItDraws) {
  start();
  run(500);
  EXPECT_FALSE(health_.frames_seen({""}, now_)) << "that it draws is no news";
  EXPECT_TRUE(health_.frames_seen({"it draws nothing"}, now_));
  EXPECT_EQ(progress(), Progress::kSlow);
  EXPECT_EQ(report().progress.cause, "it draws nothing");
  EXPECT_FALSE(health_.frames_seen({"it draws nothing"}, now_));
  run(3'500);
  EXPECT_EQ(progress(), Progress::kSlow) << "an answered probe does not make it well";
  frozen_ = true;
  run(9'000);
  EXPECT_EQ(progress(), Progress::kFrozen) << "a freeze is still found";
  frozen_ = false;
  health_.probe_answered(now_);
  EXPECT_EQ(progress(), Progress::kSlow);
  EXPECT_TRUE(health_.frames_seen({""}, now_));
  EXPECT_EQ(progress(), Progress::kOk);
  EXPECT_EQ(report().progress.cause, "");
}

TEST_F(HealthTest, WhatWasNotDrawnIsForgottenWithTheProcess) {
  start();
  health_.frames_seen({"it draws nothing"}, at_ms(20));
  health_.gone({}, at_ms(30));
  EXPECT_FALSE(health_.frames_seen({"it draws nothing"}, at_ms(40))) << "of one that is gone";
  health_.driver_started(at_ms(50));
  health_.described(at_ms(60));
  EXPECT_EQ(progress(), Progress::kOk);
}

TEST_F(HealthTest, OurOwnStallCondemnsNobody) {
  start();
  frozen_ = true;
  run(1'100);  // a probe is outstanding
  health_.stalled(milliseconds(60'000));
  now_ = at_ms(61'100);
  HealthActions actions;
  EXPECT_FALSE(health_.tick(now_, actions));
  EXPECT_EQ(progress(), Progress::kOk);
}

TEST_F(HealthTest, AnEndNamesCodeOrSignalAndLeavesOutputsUnknown) {
  start();
  EXPECT_TRUE(health_.outputs_changed({{"DP-1", msg::OutputState::kOn}}, at_ms(20)));
  EXPECT_TRUE(health_.gone({{{}, 9}, "killed"}, at_ms(50)));
  EXPECT_EQ(report().process.state, Process::kKilled);
  EXPECT_EQ(report().process.signal, 9);
  EXPECT_EQ(progress(), Progress::kUnknown);
  EXPECT_EQ(report().outputs.at(0).state, msg::OutputState::kUnknown);
  EXPECT_EQ(health_.next_deadline(), kNever);
  health_.driver_started(at_ms(60));
  EXPECT_FALSE(report().process.signal.has_value());
  EXPECT_TRUE(report().outputs.empty());
  health_.gone({{1, {}}, "exited"}, at_ms(70));
  EXPECT_EQ(report().process.state, Process::kExited);
  EXPECT_EQ(report().process.code, 1);
}

class SlowHealthTest : public HealthTest {
 protected:
  // Answers `count` probes after `took_ms` each; how many of them were worth a report.
  int answer(int count, std::int64_t took_ms) {
    int reports = 0;
    frozen_ = true;  // so that run() leaves the answers to us
    for (int i = 0; i < count; ++i) {
      const std::int64_t sent_ms = health_.next_deadline().ns() / 1'000'000;
      run(sent_ms);
      now_ = at_ms(sent_ms + took_ms);
      reports += health_.probe_answered(now_) ? 1 : 0;
    }
    return reports;
  }
};

TEST_F(SlowHealthTest, ACompositorMuchSlowerThanUsualIsSlowAndBothFiguresAreTold) {
  start();
  EXPECT_EQ(answer(60, 3), 0);
  EXPECT_EQ(answer(4, 120), 0);
  EXPECT_EQ(progress(), Progress::kOk);
  EXPECT_EQ(answer(1, 120), 1);
  EXPECT_EQ(progress(), Progress::kSlow);
  EXPECT_EQ(report().progress.cause, "a probe took 120 ms, its usual is 3 ms");
  EXPECT_EQ(answer(60, 125), 0) << "said once, not each second";
  EXPECT_EQ(report().progress.round_trip_ms, 125.0);
  EXPECT_EQ(answer(2, 3), 0);
  EXPECT_EQ(answer(1, 3), 1);
  EXPECT_EQ(progress(), Progress::kOk);
  EXPECT_EQ(report().progress.cause, "");
}

TEST_F(SlowHealthTest, AFreezeOfASlowOneIsStillFoundInTimeAndLeavesItSlow) {
  start();
  answer(60, 3);
  answer(5, 120);
  frozen_ = true;
  const std::int64_t now_ms = now_.ns() / 1'000'000;
  run(now_ms + 3'000);
  EXPECT_EQ(progress(), Progress::kSuspect);
  health_.cause_seen({true, "stopped"}, now_);
  EXPECT_EQ(report().progress.cause, "stopped") << "what the kernel says is nearer";
  run(now_ms + 5'000);
  EXPECT_EQ(progress(), Progress::kFrozen);
  EXPECT_TRUE(health_.probe_answered(now_));
  EXPECT_EQ(progress(), Progress::kSlow);
  EXPECT_EQ(report().progress.cause, "a probe took 120 ms, its usual is 3 ms");
}

TEST_F(SlowHealthTest, OneThatAlwaysNeedsLongerThanTheFixedLimitStaysSlow) {
  start();
  frozen_ = true;
  int reports = 0;
  for (int i = 0; i < 60; ++i) {
    const std::int64_t sent_ms = health_.next_deadline().ns() / 1'000'000;
    run(sent_ms + 350);
    if (health_.probe_answered(now_)) ++reports;
  }
  EXPECT_EQ(progress(), Progress::kSlow);
  EXPECT_LE(reports, 5) << "it flaps";
}

TEST_F(SlowHealthTest, WhatWasUsualIsForgottenWithTheProcess) {
  start();
  answer(60, 3);
  answer(5, 120);
  health_.gone({{{}, 9}, "killed"}, now_);
  EXPECT_EQ(health_.slowness(), "");
  const std::int64_t now_ms = now_.ns() / 1'000'000;
  health_.driver_started(at_ms(now_ms));
  health_.described(at_ms(now_ms + 10));
  EXPECT_EQ(answer(60, 120), 0);
  EXPECT_EQ(progress(), Progress::kOk);
}

TEST_F(HealthTest, AnEndThatIsUsualWhenItIsAskedToSaysSo) {
  start();
  health_.gone({{{}, 6}, "killed by signal 6", true}, at_ms(50));
  EXPECT_EQ(report().process.signal, 6);
  EXPECT_EQ(report().process.note, "it ends like this when it is asked to");
  health_.driver_started(at_ms(60));
  EXPECT_FALSE(report().process.note);
  health_.gone({{{}, 6}, "killed by signal 6"}, at_ms(70));
  EXPECT_FALSE(report().process.note);
}

TEST_F(HealthTest, EachOutputKeepsItsSinceUntilItsStateChanges) {
  start();
  using msg::OutputState;
  health_.outputs_changed({{"A", OutputState::kOn}, {"B", OutputState::kOn}}, at_ms(100));
  EXPECT_FALSE(health_.outputs_changed({{"A", OutputState::kOn}, {"B", OutputState::kOn}}, at_ms(200)));
  EXPECT_TRUE(health_.outputs_changed({{"A", OutputState::kOff}, {"B", OutputState::kOn}}, at_ms(300)));
  EXPECT_EQ(report().outputs.at(0).since.ms, 300);
  EXPECT_EQ(report().outputs.at(1).since.ms, 100);
  EXPECT_EQ(report().outputs.at(1).observed_at.ms, 300);
  EXPECT_TRUE(health_.outputs_changed({{"B", OutputState::kOn}}, at_ms(400)));
  EXPECT_EQ(report().outputs.size(), 1U);
}

TEST_F(HealthTest, HearsLaterHowItEnded) {
  const driver_event::Gone unknown{{}, "ended"};
  const driver_event::Gone told{{{}, 9}, "killed by signal 9 (SIGKILL)", false, "systemd"};
  start();
  EXPECT_FALSE(health_.end_told(told, at_ms(100))) << "it runs";
  health_.gone(unknown, at_ms(200));
  EXPECT_TRUE(health_.end_told(told, at_ms(700)));
  EXPECT_EQ(report().process.state, Process::kKilled);
  EXPECT_EQ(report().process.signal, 9);
  EXPECT_EQ(report().process.note, "told by systemd");
  EXPECT_EQ(report().process.since.ms, 200);
  EXPECT_FALSE(health_.end_told({{3, {}}, "exited"}, at_ms(800))) << "it is known";
  health_.driver_started(at_ms(900));
  EXPECT_FALSE(report().process.note);
  EXPECT_FALSE(health_.end_told(told, at_ms(1000))) << "the next one runs";
}

TEST_F(HealthTest, HearsFromTheStartHowItEndedAndThatItIsItsWay) {
  start();
  health_.gone({{{}, 6}, "killed by signal 6 (SIGABRT)", true, "systemd"}, at_ms(200));
  EXPECT_EQ(report().process.note, "it ends like this when it is asked to; told by systemd");
}

}  // namespace
}  // namespace compositord::agent
