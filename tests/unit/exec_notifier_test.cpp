// A program that is told: real programs, also such that hang, fail, or leave something behind.
#include "broker/notify/exec_notifier.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "common/base/blocked_signals.h"
#include "common/base/clock.h"
#include "tests/support/sample_notification.h"
#include "tests/support/stop_fd.h"
#include "tests/support/temp_dir.h"

namespace compositord::broker {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::sample_notification;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using End = Attempt::End;

class ExecNotifierTest : public ::testing::Test {
 protected:
  Attempt run(std::vector<std::string> command, Duration timeout = seconds(10)) {
    config_.command = std::move(command);
    return ExecNotifier(config_).attempt(sample_notification(), timeout, stop_.get());
  }
  Attempt sh(const std::string& script, Duration timeout = seconds(10)) {
    return run({"/bin/sh", "-c", script, "sh", file("out")}, timeout);
  }
  std::string file(const std::string& name) const { return (dir_.path() / name).string(); }
  std::string text_of(const std::string& name) const {
    std::ifstream in(file(name));
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  // No child is left, neither running nor to be reaped.
  static void expect_no_child() {
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  }

  test::TempDir dir_;
  test::StopFd stop_;
  NotifierConfig config_;
};

TEST_F(ExecNotifierTest, HasTheJsonOnItsInputAndTheRestInItsEnvironment) {
  ::setenv("COMPOSITORD_TEST_SECRET", "x", 1);
  EXPECT_EQ(sh("cat > \"$1\"; env >> \"$1\"").end, End::kDelivered);
  const std::string out = text_of("out");
  EXPECT_TRUE(out.starts_with(sample_notification().json + "\n")) << out;
  for (const std::string line :
       {"COMPOSITORD_STATE=firing\n", "COMPOSITORD_SEVERITY=critical\n", "COMPOSITORD_SUBJECT=wall-3/wayland-1\n",
        "COMPOSITORD_LAYER=process\n", "COMPOSITORD_DEDUPE=a1/1\n", "COMPOSITORD_SINCE=2026-11-21T20:18:40.123Z\n",
        "COMPOSITORD_TEXT=The compositor was \"killed\" by signal 9 <SIGKILL>.\n", "PATH="}) {
    EXPECT_THAT(out, HasSubstr(line));
  }
  EXPECT_THAT(out, Not(HasSubstr("SECRET")));
  expect_no_child();
}

TEST_F(ExecNotifierTest, AProgramThatReadsNothingIsNoFault) {
  EXPECT_EQ(run({"true"}).end, End::kDelivered);
  EXPECT_EQ(sh("exec 0<&-; exit 0").end, End::kDelivered);
}

TEST_F(ExecNotifierTest, AFailureSaysHowAndTheLastLine) {
  const Attempt attempt = sh("echo first >&2; echo 'no \033[31mroute' >&2; exit 3");
  EXPECT_EQ(attempt.end, End::kFailed);
  EXPECT_EQ(attempt.error, "/bin/sh exited with status 3: no \033[31mroute");
  EXPECT_EQ(sh("kill -9 $$").error, "/bin/sh was killed by signal 9");
  EXPECT_EQ(run({"/nonexistent/program"}).error, "/nonexistent/program can't be started: No such file or directory");
  expect_no_child();
}

TEST_F(ExecNotifierTest, OneThatHangsIsKilledWithAllThatItStarted) {
  ASSERT_EQ(mkfifo(file("out").c_str(), 0600), 0);
  const int fifo = open(file("out").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  // Both hold the fifo open: its end says that both are gone.
  const Attempt attempt =
      sh("exec 9> \"$1\"; cat /dev/zero > /dev/null & cat /dev/zero > /dev/null", milliseconds(300));
  EXPECT_EQ(attempt.end, End::kFailed);
  EXPECT_EQ(attempt.error, "/bin/sh took longer than 300 ms and was killed");
  pollfd gone{fifo, POLLIN, 0};
  EXPECT_EQ(poll(&gone, 1, 5'000), 1);
  EXPECT_NE(gone.revents & POLLHUP, 0);
  close(fifo);
  expect_no_child();
}

TEST_F(ExecNotifierTest, OneThatTalksWithoutEndIsHeardToTheEnd) {
  EXPECT_EQ(sh("head -c 10000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2; exit 1").error,
            "/bin/sh exited with status 1: last");
}

// A program that leaves another one behind which holds standard error open is done when it is done itself.
TEST_F(ExecNotifierTest, ADaemonThatItStartsHoldsNobody) {
  ASSERT_EQ(mkfifo(file("out").c_str(), 0600), 0);
  const int fifo = open(file("out").c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_EQ(sh("cat \"$1\" >&2 & echo $! > \"$1.pid\"", hours(1)).end, End::kDelivered);
  kill(std::stoi(text_of("out.pid")), SIGKILL);
  close(fifo);
}

TEST_F(ExecNotifierTest, IsStoppedWithTheBroker) {
  stop_.stop();
  EXPECT_EQ(sh("cat /dev/zero > /dev/null", hours(1)).end, End::kStopped);
  expect_no_child();
}

// On the notifiers' thread all signals are blocked; what it starts must hear them, and have none of our descriptors.
TEST_F(ExecNotifierTest, HasNoBlockedSignalsAndNoDescriptorsOfOurs) {
  const int ours = open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a library might
  ASSERT_GT(ours, 2);
  std::thread([this] {
    const BlockedSignals blocked;
    EXPECT_EQ(sh("ls /proc/self/fd | tr '\\n' ' ' > \"$1\"").end, End::kDelivered);
    // No shell in between, which would unblock them itself.
    EXPECT_EQ(run({"cp", "/proc/self/status", file("status")}).end, End::kDelivered);
  }).join();
  close(ours);
  // 3 is the directory that ls reads.
  EXPECT_EQ(text_of("out"), "0 1 2 3 ");
  EXPECT_THAT(text_of("status"), HasSubstr("\nSigBlk:\t0000000000000000\n"));
}

TEST_F(ExecNotifierTest, LeavesNoDescriptorBehind) {
  const auto open_files = [] {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
  };
  const std::size_t before = open_files();
  for (int i = 0; i < 10; ++i) run({"true"});
  run({"/nonexistent"});
  sh("cat /dev/zero > /dev/null", milliseconds(10));
  EXPECT_EQ(open_files(), before);
}

}  // namespace
}  // namespace compositord::broker
