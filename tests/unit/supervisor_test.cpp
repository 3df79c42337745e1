// When the agent's own compositor is started, stopped and started again, in virtual time.

#include "agent/core/supervisor.h"

#include <gtest/gtest.h>

namespace compositord::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = SupervisorState;

const ProcessEnd kKilled{{}, 9};
const ProcessEnd kClean{0, {}};

class SupervisorTest : public testing::Test {
 protected:
  void configure(const SupervisorConfig& config) { supervisor_ = Supervisor(config, 1); }
  // Takes what the last call wants, and returns it.
  SupervisorActions take() { return std::exchange(actions_, {}); }
  void begin_running(std::int64_t pid = 7) {
    supervisor_.begin(now_, actions_);
    ASSERT_TRUE(take().start);
    supervisor_.started(pid, now_, actions_);
    ASSERT_EQ(supervisor_.state(), State::kRunning);
    take();
  }
  bool end(const ProcessEnd& how = kKilled) {
    return supervisor_.ended(how, "killed by signal 9 (SIGKILL)", now_, actions_);
  }
  void pass(Duration duration) {
    now_ = now_ + duration;
    supervisor_.tick(now_, actions_);
  }
  // To the end of the back-off, whose length is returned, and on until the next one runs.
  Duration wait_and_run() {
    EXPECT_EQ(supervisor_.state(), State::kWaiting);
    const Duration wait = supervisor_.next_deadline() - now_;
    pass(wait - Duration(1));
    EXPECT_FALSE(take().start) << "too early";
    pass(Duration(1));
    EXPECT_TRUE(take().start);
    EXPECT_EQ(supervisor_.state(), State::kStarting);
    supervisor_.started(8, now_, actions_);
    EXPECT_EQ(supervisor_.next_deadline(), kNever);
    return wait;
  }

  Supervisor supervisor_{SupervisorConfig{}, 1};
  SupervisorActions actions_;
  Instant now_ = Instant() + seconds(1000);
};

TEST_F(SupervisorTest, NothingRunsBeforeItBegins) {
  EXPECT_EQ(supervisor_.state(), State::kStopped);
  pass(seconds(100));
  EXPECT_FALSE(take().start);
}

TEST_F(SupervisorTest, RunsWithTheProcessIdOfWhatWasStarted) {
  begin_running(41);
  EXPECT_EQ(supervisor_.pid(), 41);
  EXPECT_EQ(supervisor_.note(), "");
  EXPECT_EQ(supervisor_.next_deadline(), kNever);
}

TEST_F(SupervisorTest, AnUnaskedEndIsNoRequestAndIsFollowedByAStartAfterTheBackOff) {
  begin_running();
  EXPECT_FALSE(end());
  EXPECT_EQ(supervisor_.pid(), 0);
  EXPECT_EQ(supervisor_.note(), "it will be started again");
  const Duration wait = wait_and_run();
  EXPECT_GE(wait, milliseconds(100));
  EXPECT_LE(wait, milliseconds(150));
  EXPECT_EQ(supervisor_.note(), "");
}

TEST_F(SupervisorTest, TheBackOffDoublesUpToItsMaximum) {
  SupervisorConfig config;
  config.start_limit = 0;
  configure(config);
  begin_running();
  Duration low = milliseconds(100);
  for (int i = 0; i < 12; ++i) {
    end();
    const Duration wait = wait_and_run();
    EXPECT_GE(wait, low);
    EXPECT_LE(wait, std::min<Duration>(low + low / 2, seconds(30)));
    low = std::min<Duration>(low * 2, seconds(30));
  }
}

TEST_F(SupervisorTest, ALongRunMakesTheBackOffShortAgain) {
  begin_running();
  end();
  wait_and_run();
  end();
  EXPECT_GE(wait_and_run(), milliseconds(200));
  pass(seconds(10));
  end();
  EXPECT_LE(wait_and_run(), milliseconds(150));
}

TEST_F(SupervisorTest, TwoSeedsWaitDifferently) {
  std::vector<Duration> waits;
  for (const std::uint64_t seed : {1U, 2U}) {
    supervisor_ = Supervisor(SupervisorConfig{}, seed);
    begin_running();
    end();
    waits.push_back(wait_and_run());
  }
  EXPECT_NE(waits[0], waits[1]);
}

TEST_F(SupervisorTest, FiveStartsWithinAMinuteLatchIt) {
  begin_running();
  for (int i = 0; i < 4; ++i) {
    end();
    wait_and_run();
  }
  take();
  EXPECT_FALSE(end());
  EXPECT_EQ(supervisor_.state(), State::kLatched);
  EXPECT_EQ(supervisor_.next_deadline(), kNever);
  EXPECT_EQ(supervisor_.note(), "crash loop: started 5 times within 60 s; it stays down until a restart command");
  EXPECT_EQ(take().log.back().name, "supervisor.crash_loop");
  pass(seconds(1000));
  EXPECT_FALSE(take().start);
}

TEST_F(SupervisorTest, StartsThatAreFurtherApartDoNotLatchIt) {
  begin_running();
  for (int i = 0; i < 50; ++i) {
    pass(seconds(15));
    end();
    wait_and_run();
  }
  EXPECT_EQ(supervisor_.state(), State::kRunning);
}

TEST_F(SupervisorTest, ARestartCommandUnlatchesItAndForgetsTheEarlierStarts) {
  begin_running();
  for (int i = 0; i < 4; ++i) {
    end();
    wait_and_run();
  }
  end();
  take();
  supervisor_.ask_restart(now_, actions_);
  EXPECT_TRUE(take().start);
  supervisor_.started(9, now_, actions_);
  end();
  EXPECT_LE(wait_and_run(), milliseconds(150));
}

TEST_F(SupervisorTest, WithoutALimitItNeverGivesUp) {
  SupervisorConfig config;
  config.start_limit = 0;
  configure(config);
  begin_running();
  for (int i = 0; i < 100; ++i) {
    end();
    wait_and_run();
  }
}

TEST_F(SupervisorTest, OnFailureRestartsAfterASignalOrACodeAndNotAfterACleanExit) {
  SupervisorConfig config;
  config.restart = RestartPolicy::kOnFailure;
  configure(config);
  begin_running();
  end(kKilled);
  wait_and_run();
  end(ProcessEnd{1, {}});
  wait_and_run();
  end(ProcessEnd{});  // nobody knows how: better one start too many
  wait_and_run();
  end(kClean);
  EXPECT_EQ(supervisor_.state(), State::kStopped);
  EXPECT_NE(supervisor_.note().find("--restart on-failure"), std::string::npos);
}

TEST_F(SupervisorTest, AlwaysRestartsAfterACleanExitToo) {
  begin_running();
  EXPECT_FALSE(end(kClean));
  wait_and_run();
}

TEST_F(SupervisorTest, NeverDoesNotRestart) {
  SupervisorConfig config;
  config.restart = RestartPolicy::kNever;
  configure(config);
  begin_running();
  end();
  EXPECT_EQ(supervisor_.state(), State::kStopped);
  EXPECT_NE(supervisor_.note().find("--restart never"), std::string::npos);
  take();
  supervisor_.ask_restart(now_, actions_);  // somebody may still ask
  EXPECT_TRUE(take().start);
}

TEST_F(SupervisorTest, AFailedStartIsTriedAgainAndLatches) {
  supervisor_.begin(now_, actions_);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(take().start);
    supervisor_.start_failed("/no/such: No such file or directory", now_, actions_);
    ASSERT_EQ(supervisor_.state(), State::kWaiting);
    EXPECT_NE(supervisor_.note().find("/no/such"), std::string::npos);
    take();
    pass(supervisor_.next_deadline() - now_);
  }
  supervisor_.start_failed("/no/such: No such file or directory", now_, actions_);
  EXPECT_EQ(supervisor_.state(), State::kLatched);
  EXPECT_NE(supervisor_.note().find("/no/such"), std::string::npos);
}

TEST_F(SupervisorTest, AStopIsATerminateAndAfterTheGraceAKill) {
  begin_running();
  supervisor_.ask_stop(now_, actions_);
  EXPECT_EQ(take().signal, ChildSignal::kTerminate);
  EXPECT_EQ(supervisor_.state(), State::kStopping);
  pass(seconds(5) - Duration(1));
  EXPECT_FALSE(take().signal);
  pass(Duration(1));
  EXPECT_EQ(take().signal, ChildSignal::kKill);
  pass(seconds(5));
  EXPECT_FALSE(take().signal) << "one is enough";
  EXPECT_TRUE(end()) << "asked for: no crash";
  EXPECT_EQ(supervisor_.state(), State::kStopped);
  EXPECT_EQ(supervisor_.note(), "it was stopped on request");
  pass(seconds(100));
  EXPECT_FALSE(take().start);
}

TEST_F(SupervisorTest, AStopEndsTheBackOffAndTheLatch) {
  begin_running();
  end();
  supervisor_.ask_stop(now_, actions_);
  EXPECT_EQ(supervisor_.state(), State::kStopped);
  EXPECT_EQ(supervisor_.next_deadline(), kNever);
  supervisor_.ask_restart(now_, actions_);
  for (int i = 0; i < 5; ++i) {
    if (supervisor_.state() == State::kWaiting) pass(supervisor_.next_deadline() - now_);
    supervisor_.started(3, now_, actions_);
    end();
  }
  ASSERT_EQ(supervisor_.state(), State::kLatched);
  supervisor_.ask_stop(now_, actions_);
  EXPECT_EQ(supervisor_.state(), State::kStopped);
}

TEST_F(SupervisorTest, ARestartStopsAndStartsAtOnce) {
  begin_running();
  supervisor_.ask_restart(now_, actions_);
  EXPECT_EQ(take().signal, ChildSignal::kTerminate);
  EXPECT_TRUE(end(kClean));
  EXPECT_TRUE(take().start) << "without a back-off";
  EXPECT_EQ(supervisor_.state(), State::kStarting);
}

TEST_F(SupervisorTest, TheLastOfStopAndRestartCounts) {
  begin_running();
  supervisor_.ask_restart(now_, actions_);
  supervisor_.ask_stop(now_, actions_);
  end(kClean);
  EXPECT_EQ(supervisor_.state(), State::kStopped);
  take();
  supervisor_.ask_restart(now_, actions_);
  supervisor_.started(4, now_, actions_);
  supervisor_.ask_stop(now_, actions_);
  supervisor_.ask_restart(now_, actions_);
  take();
  end(kClean);
  EXPECT_TRUE(take().start);
}

TEST_F(SupervisorTest, ARestartDuringTheBackOffStartsAtOnce) {
  begin_running();
  end();
  take();
  supervisor_.ask_restart(now_, actions_);
  EXPECT_TRUE(take().start);
  EXPECT_EQ(supervisor_.next_deadline(), kNever);
}

TEST_F(SupervisorTest, AStopWhileItIsStartingWaitsUntilThereIsSomethingToSignal) {
  supervisor_.begin(now_, actions_);
  take();
  supervisor_.ask_stop(now_, actions_);
  EXPECT_FALSE(take().signal);
  supervisor_.started(5, now_, actions_);
  EXPECT_EQ(take().signal, ChildSignal::kTerminate);
  EXPECT_TRUE(end(kClean));
  EXPECT_EQ(supervisor_.state(), State::kStopped);
}

TEST_F(SupervisorTest, AStopWhileItIsStartingIsDoneWhenTheStartFails) {
  supervisor_.begin(now_, actions_);
  supervisor_.ask_stop(now_, actions_);
  supervisor_.start_failed("/no/such: No such file or directory", now_, actions_);
  EXPECT_EQ(supervisor_.state(), State::kStopped);
}

TEST_F(SupervisorTest, ARestartWhileItIsStartingIsThatStart) {
  supervisor_.begin(now_, actions_);
  take();
  supervisor_.ask_restart(now_, actions_);
  supervisor_.started(5, now_, actions_);
  EXPECT_EQ(supervisor_.state(), State::kRunning);
  EXPECT_FALSE(take().signal);
}

}  // namespace
}  // namespace compositord::agent
