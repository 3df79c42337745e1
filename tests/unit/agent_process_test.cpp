// Who a process is, what it does and how it ended.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/process/end_wait.h"
#include "agent/process/peer.h"
#include "agent/process/pidfd_info.h"
#include "agent/process/process_stat.h"
#include "agent/process/process_usage.h"
#include "agent/process/process_watch.h"
#include "agent/process/version_query.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "tests/support/temp_dir.h"

namespace compositord::agent {
namespace {

using ::testing::HasSubstr;

// Fields 4 to 52 of a stat line; 9 says that it exits, 14 is 70, 15 is 7, 22 is 4711, 24 is 2000, 52 is `exit_status`.
std::string fields_after_state(int exit_status) {
  const std::map<int, int> values = {{9, 0x400144}, {14, 70}, {15, 7}, {22, 4711}, {24, 2000}, {52, exit_status}};
  std::string fields;
  for (int number = 4; number <= 52; ++number) {
    fields += " " + std::to_string(values.contains(number) ? values.at(number) : 0);
  }
  return fields + "\n";
}

TEST(ProcessStat, ReadsAnOrdinaryLine) {
  const auto stat = parse_process_stat("5194 (sway) Z" + fields_after_state(1792));
  ASSERT_TRUE(stat) << stat.error().text;
  EXPECT_EQ(stat->pid, 5194);
  EXPECT_EQ(stat->command, "sway");
  EXPECT_EQ(stat->state, 'Z');
  EXPECT_EQ(stat->start_time_ticks, 4711U);
  EXPECT_TRUE(stat->is_exiting);
  EXPECT_EQ(stat->cpu_time_ticks, 77U);
  EXPECT_EQ(stat->rss_pages, 2000U);
  EXPECT_EQ(stat->exit_status, 1792);
}

TEST(ProcessStat, IsNotFooledByTheNameOfAProcess) {
  for (const std::string name : {"a b", ") R 1 2", "((", "))", "x) T (y", ""}) {
    const auto stat = parse_process_stat("7 (" + name + ") S" + fields_after_state(0));
    ASSERT_TRUE(stat) << name << ": " << stat.error().text;
    EXPECT_EQ(stat->command, name);
    EXPECT_EQ(stat->state, 'S') << name;
    EXPECT_EQ(stat->start_time_ticks, 4711U) << name;
  }
}

TEST(ProcessStat, TakesEveryTruncationAsAnError) {
  const std::string line = "7 (a) b) S" + fields_after_state(0);
  const std::size_t start_time = line.find(" 4711");
  for (std::size_t length = 0; length < start_time + 2; ++length) {
    EXPECT_FALSE(parse_process_stat(line.substr(0, length))) << length;
  }
  // An older kernel's shorter line is none: it only lacks the exit status.
  const auto shorter = parse_process_stat(line.substr(0, start_time + 5));
  ASSERT_TRUE(shorter);
  EXPECT_FALSE(shorter->exit_status);
}

TEST(ProcessStat, SaysThatThereIsNoSuchProcess) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  const auto stat = read_process_stat(child);
  ASSERT_FALSE(stat);
  EXPECT_EQ(stat.error().status, Status::kNotFound);
}

TEST(ProcessUsage, GrowsWithWhatTheProcessUses) {
  const auto self = identify_process(::getpid());
  ASSERT_TRUE(self);
  const auto before = look_at_usage(*self);
  ASSERT_TRUE(before);
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  std::vector<char> memory(kBytes, 'x');
  // Written again until the kernel has counted it as processor time: a tick is 10 ms.
  std::optional<driver_event::UsageSeen> after;
  for (char c = 'a'; !after || after->cpu_time <= before->cpu_time; c = c == 'z' ? 'a' : static_cast<char>(c + 1)) {
    std::fill(memory.begin(), memory.end(), c);
    after = look_at_usage(*self);
    ASSERT_TRUE(after);
  }
  EXPECT_GT(after->rss_bytes, before->rss_bytes + kBytes / 2);
}

TEST(ProcessUsage, IsNotThatOfALaterProcessOrOfNone) {
  auto self = identify_process(::getpid());
  ASSERT_TRUE(self);
  ++self->start_time_ticks;
  EXPECT_FALSE(look_at_usage(*self));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  const auto zombie = identify_process(child);
  ASSERT_TRUE(zombie);
  EXPECT_FALSE(look_at_usage(*zombie));
  ::waitpid(child, nullptr, 0);
}

TEST(Peer, IsTheProcessBehindTheSocket) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const FileDescriptor a(ends[0]);
  const FileDescriptor b(ends[1]);
  const auto peer = identify_peer(a.get());
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->pid, ::getpid());
  EXPECT_EQ(peer->uid, ::geteuid());
  EXPECT_EQ(peer->start_time_ticks, read_process_stat(::getpid())->start_time_ticks);
  EXPECT_THAT(peer->executable, HasSubstr("test_agent_process"));
}

TEST(Peer, IsNotALaterProcessWithTheSamePid) {
  Peer peer;
  peer.pid = ::getpid();
  peer.start_time_ticks = read_process_stat(::getpid())->start_time_ticks;
  EXPECT_TRUE(open_pidfd(peer));
  ++peer.start_time_ticks;
  const auto other = open_pidfd(peer);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().status, Status::kNotFound);
}

TEST(Peer, NamesTheProgramNotItsWrapping) {
  EXPECT_EQ(executable_name("/usr/bin/sway"), "sway");
  EXPECT_EQ(executable_name("/nix/store/x-sway/bin/.sway-wrapped"), "sway");
  EXPECT_EQ(executable_name("/usr/bin/weston (deleted)"), "weston");
  EXPECT_EQ(executable_name(""), "");
}

// A child that runs `body`; killed and reaped at the end of the test if that has not happened before.
class Child {
 public:
  explicit Child(const std::function<void()>& body) : pid_(::fork()) {
    CHECK(pid_ >= 0);  // or the kills below would be meant for everybody
    if (pid_ != 0) return;
    body();
    ::_exit(0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    reap();
  }
  pid_t pid() const { return pid_; }
  Peer peer() const {
    Peer peer;
    peer.pid = pid_;
    peer.uid = ::geteuid();
    peer.start_time_ticks = read_process_stat(pid_)->start_time_ticks;
    return peer;
  }
  void reap() {
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  // Waits for a change that waitid() knows (WSTOPPED, WEXITED) and leaves the child waitable.
  void wait_for(int what) const {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, what | WNOWAIT);
  }

 private:
  pid_t pid_;
};

void wait_for_ever() {
  for (;;) ::pause();
}

std::optional<ProcessEnd> wait_for_end(ProcessWatch& watch) {
  const Instant give_up = monotonic_now() + std::chrono::seconds(10);
  for (Instant now = monotonic_now(); now < give_up; now = monotonic_now()) {
    if (auto end = watch.service(now)) return end;
    std::vector<pollfd> fds;
    watch.poll_fds(fds);
    const Instant next = std::min(watch.next_deadline(), now + std::chrono::seconds(1));
    ::poll(fds.data(), fds.size(), static_cast<int>(to_ms(next - now)) + 1);
  }
  return std::nullopt;
}

TEST(ProcessWatch, TellsTheSignalOfAZombie) {
  Child child(wait_for_ever);
  auto watch = ProcessWatch::open(child.peer());
  ASSERT_TRUE(watch);
  EXPECT_FALSE(watch->service(monotonic_now()));
  ::kill(child.pid(), SIGTERM);
  const auto end = wait_for_end(*watch);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->signal, SIGTERM);
  EXPECT_FALSE(end->code);
}

// Its first thread is out, as all are that have closed its sockets; it ends when the last one is.
TEST(ProcessWatch, KnowsAProcessThatHasBegunToEnd) {
  std::array<int, 2> go_on{};
  ASSERT_EQ(::pipe2(go_on.data(), O_CLOEXEC), 0);
  Child child([&] {
    std::thread([&] {
      char byte = 0;
      ::_exit(::read(go_on[0], &byte, 1) == 1 ? 5 : 6);
    }).detach();
    ::syscall(SYS_exit, 0);
  });
  auto watch = ProcessWatch::open(child.peer());
  ASSERT_TRUE(watch);
  const Instant give_up = monotonic_now() + std::chrono::seconds(10);
  while (!watch->is_exiting() && monotonic_now() < give_up) ::sched_yield();
  EXPECT_TRUE(watch->is_exiting());
  EXPECT_FALSE(watch->service(monotonic_now())) << "a thread of it lives";
  ASSERT_EQ(::write(go_on[1], "", 1), 1);
  for (const int descriptor : go_on) ::close(descriptor);
  const auto end = wait_for_end(*watch);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 5);
  const Child living([] { ::pause(); });
  const auto other = ProcessWatch::open(living.peer());
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->is_exiting());
}

TEST(EndWait, IsLongerForAProcessThatHasBegunToEnd) {
  const Child ending([] {
    std::thread([] { ::pause(); }).detach();
    ::syscall(SYS_exit, 0);
  });
  const Child living([] { ::pause(); });
  auto ending_watch = ProcessWatch::open(ending.peer());
  auto living_watch = ProcessWatch::open(living.peer());
  ASSERT_TRUE(ending_watch);
  ASSERT_TRUE(living_watch);
  const Instant give_up = monotonic_now() + std::chrono::seconds(10);
  while (!ending_watch->is_exiting() && monotonic_now() < give_up) ::sched_yield();
  const std::optional<ProcessWatch> is_ending(std::move(*ending_watch));
  const std::optional<ProcessWatch> lives(std::move(*living_watch));

  const Instant broken = Instant{} + std::chrono::seconds(1);
  EndWait wait;
  wait.begin(broken);
  EXPECT_EQ(wait.next_deadline(), broken + ProcessWatch::kCauseWait);
  EXPECT_FALSE(wait.is_over(lives, broken)) << "it may be about to end";
  EXPECT_TRUE(wait.is_over(lives, broken + ProcessWatch::kCauseWait));
  EXPECT_TRUE(wait.is_over(std::nullopt, broken)) << "nobody will tell";
  EXPECT_FALSE(wait.is_over(is_ending, broken + ProcessWatch::kCauseWait));
  EXPECT_EQ(wait.next_deadline(), broken + ProcessWatch::kCauseWait * 2) << "and is looked at again";
  EXPECT_TRUE(wait.is_over(is_ending, broken + EndWait::kExitingMax));
}

TEST(ProcessWatch, TellsTheExitCodeOfAZombie) {
  Child child([] { ::_exit(7); });
  auto watch = ProcessWatch::open(child.peer());
  ASSERT_TRUE(watch);
  const auto end = wait_for_end(*watch);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 7);
  EXPECT_FALSE(end->signal);
}

TEST(ProcessWatch, TellsHowAProcessEndedThatWasReapedBefore) {
  Child child([] { ::_exit(3); });
  auto watch = ProcessWatch::open(child.peer());
  ASSERT_TRUE(watch);
  child.reap();
  const auto end = wait_for_end(*watch);
  ASSERT_TRUE(end);
  // A kernel before 6.15 keeps no exit status for pidfds: then it must say "unknown".
  if (end->code) {
    EXPECT_EQ(end->code, 3);
  } else {
    EXPECT_FALSE(end->signal);
  }
}

TEST(ProcessWatch, SeesAStoppedProcess) {
  Child child(wait_for_ever);
  auto watch = ProcessWatch::open(child.peer());
  ASSERT_TRUE(watch);
  EXPECT_FALSE(watch->look().stopped);
  ::kill(child.pid(), SIGSTOP);
  child.wait_for(WSTOPPED);
  EXPECT_TRUE(watch->look().stopped);
  EXPECT_EQ(watch->look().cause, "stopped");
  EXPECT_FALSE(watch->service(monotonic_now()));
}

TEST(ProcessWatch, DescribesEveryKindOfEnd) {
  EXPECT_EQ(describe_end(end_from_wait_status(9)), "killed by signal 9 (SIGKILL)");
  EXPECT_EQ(describe_end(end_from_wait_status(0x80 | 11)), "killed by signal 11 (SIGSEGV)");  // with a core dump
  EXPECT_EQ(describe_end(end_from_wait_status(15 << 8)), "exited with code 15");
  EXPECT_EQ(describe_end(ProcessEnd{}), "ended, and the kernel did not tell how");
}

TEST(VersionQuery, FindsTheVersionInWhatProgramsPrint) {
  EXPECT_EQ(version_in_text("sway version 1.7\n"), "1.7");
  EXPECT_EQ(version_in_text("weston 10.0.1\n"), "10.0.1");
  EXPECT_EQ(version_in_text("Phoc 0.24.0 - Phone compositor"), "0.24.0");
  EXPECT_EQ(version_in_text("Cage version 0.1.4"), "0.1.4");
  EXPECT_EQ(version_in_text("0.7.4"), "0.7.4");
  EXPECT_EQ(version_in_text("thing v2.1, built 2024."), "2.1");
  EXPECT_EQ(version_in_text("sway version 1.8-dev-1a2b3c (Jan  1 2023)"), "1.8-dev-1a2b3c");
  EXPECT_EQ(version_in_text("x11 usage: 3 things"), "");
  EXPECT_EQ(version_in_text(""), "");
  EXPECT_EQ(version_in_text(std::string(100, '1') + ".2"), "");
}

// A process that runs a copy of this program and waits. Asked for its version, the copy behaves as main() says.
class Compositor {
 public:
  Compositor() : copy_(dir_.path() / "copy") {
    std::filesystem::copy_file("/proc/self/exe", copy_);
    std::array<int, 2> ends{};
    CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
    child_.emplace([&] { ::execl(copy_.c_str(), "hangs", "--version", nullptr); });
    ::close(ends[1]);
    char byte = 0;
    EXPECT_EQ(::read(ends[0], &byte, 1), 0);  // the exec closed the other end
    ::close(ends[0]);
  }
  const std::filesystem::path& copy() const { return copy_; }
  pid_t pid() const { return child_->pid(); }
  Peer peer(const std::string& behaviour) const {
    Peer peer = child_->peer();
    peer.executable = "/somewhere/" + behaviour;
    return peer;
  }

 private:
  test::TempDir dir_;
  std::filesystem::path copy_;
  std::optional<Child> child_;
};

// Whether this process has no child but `pid`.
bool has_no_child_but(pid_t pid) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos || name == std::to_string(pid)) continue;
    std::ifstream status(entry.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line == "PPid:\t" + std::to_string(::getpid())) return false;
    }
  }
  return true;
}

// `standing`: the only time that the query is told, so that none of its deadlines comes.
std::optional<std::string> wait_for_version(VersionQuery& query, std::optional<Instant> standing = {}) {
  const Instant give_up = monotonic_now() + std::chrono::seconds(20);
  for (Instant now = monotonic_now(); now < give_up; now = monotonic_now()) {
    if (auto version = query.service(standing.value_or(now))) return version;
    std::vector<pollfd> fds;
    query.poll_fds(fds);
    ::poll(fds.data(), fds.size(), static_cast<int>(to_ms(std::min(query.next_deadline(), give_up) - now)) + 1);
  }
  return std::nullopt;
}

TEST(VersionQuery, RunsTheExecutableBehindThePeer) {
  const Compositor compositor;
  auto query = VersionQuery::start(compositor.peer("shows"), monotonic_now());
  ASSERT_TRUE(query) << query.error().text;
  EXPECT_EQ(wait_for_version(*query), "4.5.6");
}

TEST(VersionQuery, AsksCageInCagesWay) {
  const Compositor compositor;
  auto query = VersionQuery::start(compositor.peer("cage"), monotonic_now());
  ASSERT_TRUE(query) << query.error().text;
  EXPECT_EQ(wait_for_version(*query), "0.1.4");
}

TEST(VersionQuery, KillsAProgramThatDoesNotEndByTheDeadline) {
  const Compositor compositor;
  const Instant begun = monotonic_now();
  auto query = VersionQuery::start(compositor.peer("hangs"), begun);
  ASSERT_TRUE(query) << query.error().text;
  EXPECT_FALSE(query->service(begun + VersionQuery::kTimeout - Duration(1)));
  EXPECT_FALSE(query->service(begun + VersionQuery::kTimeout));  // this kills it
  EXPECT_EQ(wait_for_version(*query), "");
  EXPECT_TRUE(has_no_child_but(compositor.pid())) << "a child was left behind";
}

TEST(VersionQuery, CutsOffAProgramThatFloods) {
  const Compositor compositor;
  const Instant begun = monotonic_now();
  auto query = VersionQuery::start(compositor.peer("floods"), begun);
  ASSERT_TRUE(query) << query.error().text;
  EXPECT_EQ(wait_for_version(*query, begun), "") << "without its deadline";
}

TEST(VersionQuery, LeavesNothingRunningWhenItIsGivenUp) {
  const Compositor compositor;
  {
    auto query = VersionQuery::start(compositor.peer("hangs"), monotonic_now());
    ASSERT_TRUE(query) << query.error().text;
    EXPECT_FALSE(has_no_child_but(compositor.pid()));
  }
  EXPECT_TRUE(has_no_child_but(compositor.pid())) << "a child was left behind";
}

TEST(VersionQuery, DoesNotRunWhatOthersThanRootMayWrite) {
  const Compositor compositor;
  ASSERT_EQ(::chmod(compositor.copy().c_str(), 0775), 0);
  Peer peer = compositor.peer("shows");
  EXPECT_TRUE(VersionQuery::start(peer, monotonic_now())) << "it is our own user's";
  ++peer.uid;
  const auto query = VersionQuery::start(peer, monotonic_now());
  ASSERT_FALSE(query);
  EXPECT_EQ(query.error().status, Status::kForbidden);
}

TEST(PidfdInfo, IsKnownToTellOrNotToTellExitStatuses) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(5);
  auto peer = identify_process(child);
  ASSERT_TRUE(peer);
  const auto pidfd = open_pidfd(*peer);
  ASSERT_TRUE(pidfd);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(pidfd_tells_exit_status(), exit_status_from_pidfd(pidfd->get()).has_value());
}

TEST(VersionQuery, DoesNotRunItself) {
  Peer peer;
  peer.pid = ::getpid();
  peer.uid = ::geteuid();
  peer.executable = "/somewhere/shows";
  const auto query = VersionQuery::start(peer, monotonic_now());
  ASSERT_FALSE(query);
  EXPECT_EQ(query.error().text, "/somewhere/shows is this program itself");
}

}  // namespace
}  // namespace compositord::agent

// Run by a VersionQuery, a copy of this program behaves as its name says, and in no case runs the tests.
int main(int argc, char** argv) {
  const std::string name = argv[0];
  const std::string option = argc > 1 ? argv[1] : "";
  if (option == "--version" || option == "-v") {
    if (name == "shows") std::puts("shows version 4.5.6");
    if (name == "cage") std::puts(option == "-v" ? "Cage version 0.1.4" : "what?");
    while (name == "floods" && std::puts("no version in here") >= 0) continue;
    while (name == "hangs") ::pause();
    return 0;
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
