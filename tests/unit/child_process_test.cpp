// Programs that the agent starts: how they begin, what they say, how they end, and that nothing of them stays.

#include "agent/process/child_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace compositord::agent {
namespace {

using ::testing::HasSubstr;

struct Seen {
  int executed = 0;
  std::string exec_error;
  std::string output;
  std::optional<ProcessEnd> end;
};

class ChildProcessTest : public testing::Test {
 protected:
  static ChildProcess start(std::vector<std::string> arguments) {
    auto child = ChildProcess::start(ChildCommand{std::move(arguments), false});
    EXPECT_TRUE(child) << child.error().text;
    return std::move(*child);
  }
  static ChildProcess shell(const std::string& script) { return start({"/bin/sh", "-c", script}); }
  // Services it until `wanted`, as the loop does: only when poll says so.
  template <class Wanted>
  static void serve(ChildProcess& child, Seen& seen, Wanted wanted) {
    while (!wanted()) {
      std::vector<pollfd> fds;
      child.poll_fds(fds);
      ASSERT_FALSE(fds.empty()) << "nothing left to wait for; printed: " << seen.output;
      ASSERT_GT(::poll(fds.data(), fds.size(), 20'000), 0) << "nothing happened; printed: " << seen.output;
      ChildProcess::News news = child.service();
      seen.executed += news.executed ? 1 : 0;
      seen.exec_error += news.exec_error;
      seen.output += news.output;
      if (news.end) seen.end = news.end;
    }
  }
  static Seen run_to_end(ChildProcess& child) {
    Seen seen;
    serve(child, seen, [&] { return seen.end || !seen.exec_error.empty(); });
    return seen;
  }
};

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator begin("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

TEST_F(ChildProcessTest, TellsTheExitCodeAndWhatWasPrinted) {
  ChildProcess child = shell("echo out; echo err >&2; exit 7");
  const Seen seen = run_to_end(child);
  EXPECT_EQ(seen.executed, 1);
  EXPECT_EQ(seen.output, "out\nerr\n");
  EXPECT_EQ(seen.end->code, 7);
  EXPECT_FALSE(seen.end->signal);
  EXPECT_FALSE(child.signal(SIGTERM));
}

TEST_F(ChildProcessTest, TellsTheSignal) {
  ChildProcess child = shell("kill -SEGV $$");
  const Seen seen = run_to_end(child);
  EXPECT_EQ(seen.end->signal, SIGSEGV);
  EXPECT_FALSE(seen.end->code);
}

TEST_F(ChildProcessTest, AProgramThatIsNotThereIsNamed) {
  for (const std::string program : {"/no/such/compositor", "no-such-compositor"}) {
    ChildProcess child = start({program});
    const Seen seen = run_to_end(child);
    EXPECT_EQ(seen.executed, 0);
    EXPECT_EQ(seen.exec_error, program + " can't be executed: No such file or directory");
    EXPECT_FALSE(seen.end);
  }
}

TEST_F(ChildProcessTest, AFileThatIsNoProgramIsNamed) {
  ChildProcess child = start({"/etc/passwd"});
  EXPECT_THAT(run_to_end(child).exec_error, HasSubstr("/etc/passwd can't be executed: Permission denied"));
}

TEST_F(ChildProcessTest, StartsItWithFreshSignals) {
  ASSERT_NE(std::signal(SIGPIPE, SIG_IGN), SIG_ERR);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &blocked, nullptr), 0);
  ChildProcess child = shell("grep -E '^Sig(Blk|Ign)' /proc/self/status");
  const Seen seen = run_to_end(child);
  pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  EXPECT_EQ(seen.output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(ChildProcessTest, LeadsASessionOfItsOwn) {
  ChildProcess child = shell("echo ready; tail -f /dev/null");
  Seen seen;
  serve(child, seen, [&] { return seen.output == "ready\n"; });
  EXPECT_EQ(::getsid(child.pid()), child.pid());
}

TEST_F(ChildProcessTest, AGroupSignalReachesWhatItStarted) {
  ChildProcess child =
      shell("trap 'echo first; exit 3' TERM; (trap 'echo second; exit 0' TERM; echo ready; tail -f /dev/null) & wait");
  Seen seen;
  serve(child, seen, [&] { return seen.output == "ready\n"; });
  ASSERT_TRUE(child.signal_group(SIGTERM));
  serve(child, seen, [&] { return seen.end.has_value(); });
  EXPECT_EQ(seen.end->code, 3);
}

TEST_F(ChildProcessTest, WhatItLeavesBehindInItsGroupIsKilled) {
  ChildProcess child = shell("tail -f /dev/null & echo $!");
  const Seen seen = run_to_end(child);
  // An orphan of our child is reaped by init or a subreaper; until then it is a zombie, and a pidfd is readable.
  const int left = static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(seen.output), 0U));
  if (left < 0) return;  // gone already
  pollfd ended{left, POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
  ::close(left);
}

TEST_F(ChildProcessTest, AFloodDoesNotHoldTheLoop) {
  ChildProcess child = start({"/usr/bin/yes"});
  std::size_t printed = 0;
  while (printed < 1'000'000) {
    const std::size_t once = child.service().output.size();
    EXPECT_LT(once, ChildProcess::kOutputBytesPerServiceMax + 4096);
    printed += once;
  }
}

TEST_F(ChildProcessTest, ADestroyedOneIsKilledAndReaped) {
  pid_t pid = 0;
  {
    ChildProcess child = shell("trap '' TERM; echo ready; tail -f /dev/null");
    Seen seen;
    serve(child, seen, [&] { return seen.output == "ready\n"; });
    pid = child.pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

// Traces a process, so that its end is its tracer's to see first: its parent can't reap it before that lets go of it.
class Tracer {
 public:
  explicit Tracer(pid_t traced) {
    std::array<int, 2> begun{};
    std::array<int, 2> over{};
    EXPECT_EQ(::pipe2(begun.data(), O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(over.data(), O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(over[1]);
      const char seized = ::ptrace(PTRACE_SEIZE, traced, nullptr, nullptr) == 0 ? 'y' : 'n';
      static_cast<void>(::write(begun[1], &seized, 1) == 1);
      char end = 0;
      static_cast<void>(::read(over[0], &end, 1) == 0);
      ::_exit(0);
    }
    ::close(begun[1]);
    ::close(over[0]);
    over_ = over[1];
    char seized = 0;
    EXPECT_EQ(::read(begun[0], &seized, 1), 1);
    EXPECT_EQ(seized, 'y') << "it can't be traced";
    ::close(begun[0]);
  }
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;
  ~Tracer() { let_go(); }
  void let_go() {
    if (pid_ == 0) return;
    ::close(over_);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }

 private:
  pid_t pid_ = 0;
  int over_ = -1;
};

bool is_child(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

TEST_F(ChildProcessTest, AKilledOneThatTakesItsTimeToDieIsReapedWhenItDoes) {
  const std::size_t before = open_descriptors();
  std::optional<ChildProcess> child = start({"/usr/bin/python3", "-c",
                                             "import ctypes, signal\n"
                                             "PR_SET_PTRACER = 0x59616d61\n"
                                             "ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1))\n"
                                             "print('ready', flush=True)\n"
                                             "signal.pause()"});
  Seen seen;
  serve(*child, seen, [&] { return seen.output == "ready\n"; });
  const pid_t pid = child->pid();
  Tracer tracer(pid);
  child.reset();
  EXPECT_TRUE(is_child(pid)) << "it was not held";
  tracer.let_go();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while ((is_child(pid) || open_descriptors() != before) && std::chrono::steady_clock::now() < deadline)
    ::sched_yield();
  EXPECT_FALSE(is_child(pid)) << "it stays a zombie";
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ChildProcessTest, FiftyOfThemLeaveNoZombieAndNoDescriptor) {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 50; ++i) {
    ChildProcess good = shell("exit 0");
    run_to_end(good);
    ChildProcess bad = start({"/no/such/compositor"});
    run_to_end(bad);
    ChildProcess never_served = start({"/bin/true"});
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

// A process in between, which is killed: what becomes of its child?
pid_t child_of_a_killed_parent(bool lives_on) {
  int ends[2] = {};
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    auto child = ChildProcess::start(ChildCommand{{"/usr/bin/tail", "-f", "/dev/null"}, lives_on});
    while (!child->service().executed) continue;
    const pid_t pid = child->pid();
    static_cast<void>(::write(ends[1], &pid, sizeof pid) == 0);
    for (;;) ::pause();
  }
  ::close(ends[1]);
  pid_t pid = 0;
  EXPECT_EQ(::read(ends[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  ::close(ends[0]);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  return pid;
}

class OrphanTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0); }  // orphans become ours
  void TearDown() override { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }
};

TEST_F(OrphanTest, IsEndedByTheKernelWhenItsParentIsKilled) {
  const pid_t pid = child_of_a_killed_parent(false);
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST_F(OrphanTest, LivesOnWhenThatIsWanted) {
  const pid_t pid = child_of_a_killed_parent(true);
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, WNOHANG), 0);
  EXPECT_EQ(::kill(pid, SIGKILL), 0);
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

}  // namespace
}  // namespace compositord::agent
