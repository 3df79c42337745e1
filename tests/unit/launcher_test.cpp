// `launch` without a compositor: which programs are allowed, what they get, how their ends are told, and that nothing stays.

#include "agent/process/launcher.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "common/base/clock.h"
#include "tests/support/temp_dir.h"

namespace compositord::agent {
namespace {

using driver_event::CommandFinished;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Value strings(const std::vector<std::string>& texts) {
  Value list = Value::array();
  for (const std::string& text : texts) list.push(text);
  return list;
}

std::vector<std::string> words_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

class LauncherTest : public testing::Test {
 protected:
  explicit LauncherTest(std::vector<std::string> allowed = {"/bin/sh", "sleep", "true", "/nowhere/program",
                                                            "nosuchprogram"})
      : launcher_(LaunchSettings{ProgramList(std::move(allowed), "/usr/bin:/bin"), "", "/run/user/1"}) {}

  void TearDown() override {
    for (const pid_t pid : started_) ::kill(pid, SIGKILL);
    run_until([&] { return launcher_.running() == 0; });
  }

  bool run_until(const std::function<bool()>& done) {
    const Instant end = monotonic_now() + seconds(20);
    while (!done()) {
      const Instant now = monotonic_now();
      if (now >= end) return false;
      std::vector<pollfd> fds;
      launcher_.poll_fds(fds);
      const Duration wait = std::max(std::min(end, launcher_.next_deadline()) - now, Duration::zero());
      const timespec limit{wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
      ::ppoll(fds.data(), fds.size(), &limit, nullptr);
      launcher_.service(monotonic_now(), out_);
    }
    return true;
  }

  CommandFinished launch(const Value& params, milliseconds deadline = seconds(10)) {
    out_.events.clear();
    const Instant now = monotonic_now();
    launcher_.launch(7, params, "/run/user/1/wayland-5", now, now + deadline, out_);
    EXPECT_TRUE(run_until([&] { return !out_.events.empty(); }));
    if (out_.events.size() != 1) return {};
    auto finished = std::get<CommandFinished>(out_.events.front());
    EXPECT_EQ(finished.command_id, 7U);
    const Value* pid = finished.result.find("pid");
    if (pid != nullptr) started_.push_back(static_cast<pid_t>(*pid->if_int()));
    return finished;
  }
  CommandFinished run(const std::vector<std::string>& argv) { return launch(Value::map({{"argv", strings(argv)}})); }

  static std::string proc(const CommandFinished& finished, const std::string& what) {
    return "/proc/" + std::to_string(*finished.result.find("pid")->if_int()) + "/" + what;
  }

  Launcher launcher_;
  DriverOutputs out_;
  std::vector<pid_t> started_;
};

TEST_F(LauncherTest, ARunningProgramIsOnTheDisplayWithASessionOfItsOwnAndNothingOfOurs) {
  ::setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
  ::setenv("DISPLAY", ":77", 1);
  ::setenv("OURS", "kept", 1);
  const int open = ::open("/etc/passwd", O_RDONLY);  // inheritable, as a careless launcher of ours leaves it
  ASSERT_GT(open, 2);
  Value params = Value::map({{"argv", strings({"sleep", "1000"})}, {"env", Value::map({{"LANG", "de_DE"}})}});
  const Instant before = monotonic_now();
  const CommandFinished finished = launch(params);
  ::close(open);
  ASSERT_EQ(finished.status, Status::kDone) << finished.error;
  EXPECT_GE(monotonic_now() - before, Launcher::kEarlyEnd) << "answered before an early end could be seen";
  EXPECT_THAT(words_of(proc(finished, "environ")),
              AllOf(Contains("WAYLAND_DISPLAY=/run/user/1/wayland-5"), Contains("XDG_RUNTIME_DIR=/run/user/1"),
                    Contains("LANG=de_DE"), Contains("OURS=kept"), Not(Contains(StartsWith("DISPLAY="))),
                    Not(Contains(StartsWith("NOTIFY_SOCKET=")))));
  EXPECT_EQ(words_of(proc(finished, "cmdline")), (std::vector<std::string>{"sleep", "1000"}));
  const pid_t pid = started_.back();
  EXPECT_EQ(::getsid(pid), pid);
  std::vector<std::string> descriptors;
  for (const auto& entry : std::filesystem::directory_iterator(proc(finished, "fd"))) {
    descriptors.push_back(entry.path().filename());
    EXPECT_EQ(std::filesystem::read_symlink(entry.path()), "/dev/null");
  }
  EXPECT_THAT(descriptors, testing::UnorderedElementsAre("0", "1", "2"));
  ::unsetenv("DISPLAY");
}

TEST_F(LauncherTest, AProgramThatEndsAtOnceIsAFailureUnlessItsCodeIsZero) {
  const CommandFinished code = run({"/bin/sh", "-c", "exit 3"});
  EXPECT_EQ(code.status, Status::kFailed);
  EXPECT_EQ(code.error, "/bin/sh exited with code 3 at once");
  EXPECT_EQ(*code.result.find("code"), Value(3));
  const CommandFinished killed = run({"/bin/sh", "-c", "kill -9 $$"});
  EXPECT_EQ(killed.status, Status::kFailed);
  EXPECT_EQ(*killed.result.find("signal"), Value(9));
  const CommandFinished done = run({"true"});
  EXPECT_EQ(done.status, Status::kDone);
  EXPECT_EQ(*done.result.find("code"), Value(0));
  for (const pid_t pid : started_) EXPECT_FALSE(std::filesystem::exists("/proc/" + std::to_string(pid))) << "a zombie";
  started_.clear();
}

TEST_F(LauncherTest, ALaterEndIsLoggedAndReaped) {
  const CommandFinished finished = run({"sleep", "1000"});
  ASSERT_EQ(finished.status, Status::kDone);
  const pid_t pid = started_.back();
  started_.clear();
  ASSERT_EQ(::kill(pid, SIGTERM), 0) << "it hears the signals that a fresh program hears";
  ASSERT_TRUE(run_until([&] { return launcher_.running() == 0; }));
  EXPECT_FALSE(std::filesystem::exists("/proc/" + std::to_string(pid)));
  EXPECT_EQ(out_.events.size(), 1U) << "answered twice";
  EXPECT_THAT(to_text(out_.log.back()),
              AllOf(HasSubstr("launch.ended"), HasSubstr("SIGTERM"), HasSubstr("/usr/bin/sleep")));
}

TEST_F(LauncherTest, WhatAProgramLeavesBehindLivesOn) {
  const test::TempDir dir;
  // It leaves a process of its group that says on SIGUSR1 that it lives: one that was killed can't.
  const std::string left_behind =
      "tail -f /dev/null & trap 'kill $!; echo yes > alive; exit' USR1; echo $$ > pid; wait";
  const std::string script = "cd " + dir.path().string() + " && sh -c \"$LEFT\" & until [ -s " +
                             (dir.path() / "pid").string() + " ]; do :; done";
  const Value variables = Value::map({{"LEFT", left_behind}});
  const CommandFinished finished =
      launch(Value::map({{"argv", strings({"/bin/sh", "-c", script})}, {"env", variables}}));
  ASSERT_EQ(finished.status, Status::kDone) << finished.error;
  ASSERT_TRUE(run_until([&] { return launcher_.running() == 0; }));
  started_.clear();
  pid_t left = 0;
  std::ifstream(dir.path() / "pid") >> left;
  ASSERT_GT(left, 0);
  const FileDescriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, left, 0U)));
  ASSERT_EQ(::kill(left, SIGUSR1), 0);
  pollfd end{ended.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&end, 1, 20'000), 1);
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "alive")) << "it was killed with its parent";
}

TEST_F(LauncherTest, AnAgentThatEndsLeavesThemRunning) {
  const Instant now = monotonic_now();
  pid_t pid = 0;
  {
    DriverOutputs out;
    Launcher passing(LaunchSettings{ProgramList({"ALL"}, "/usr/bin:/bin"), ":3", ""});
    passing.launch(1, Value::map({{"argv", strings({"sleep", "1000"})}}), "", now, now + milliseconds(10), out);
    while (out.events.empty()) {
      std::vector<pollfd> fds;
      passing.poll_fds(fds);
      ::poll(fds.data(), fds.size(), 20'000);
      passing.service(monotonic_now(), out);
    }
    const auto& finished = std::get<CommandFinished>(out.events.front());
    ASSERT_EQ(finished.status, Status::kDone) << finished.error;  // a short deadline is met, too
    EXPECT_THAT(words_of(proc(finished, "environ")), Contains("DISPLAY=:3"));
    pid = static_cast<pid_t>(*finished.result.find("pid")->if_int());
  }
  EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), 0);
  ::kill(pid, SIGKILL);
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
}

TEST_F(LauncherTest, OnlyWhatIsOnTheListIsLaunched) {
  for (const char* program :
       {"/usr/bin/env", "env", "/etc/passwd", "/no/such/file", "SH", "/usr/bin/../bin/env", "ALL"}) {
    const CommandFinished finished = run({program});
    EXPECT_EQ(finished.status, Status::kForbidden) << program << " " << finished.error;
    EXPECT_THAT(finished.error, HasSubstr("--allow-launch"));
  }
  for (const char* program : {"bin/sh", "./sh", "../sh", ""}) {
    EXPECT_EQ(run({program}).status, Status::kMalformed) << program;
  }
  for (const char* program : {"/nowhere/program", "nosuchprogram"}) {
    EXPECT_EQ(run({program}).status, Status::kNotFound) << program;
  }
  EXPECT_EQ(run({"sh", "-c", "true"}).status, Status::kDone) << "/bin/sh by its name";
  EXPECT_EQ(run({"/usr/bin/true"}).status, Status::kDone) << "a name by its path";
  EXPECT_EQ(run({"/usr/bin/../bin/true"}).status, Status::kDone);
  started_.clear();
}

TEST(ProgramList, ALinkIsNotWhatItPointsTo) {
  const test::TempDir dir;
  std::filesystem::create_directory((dir.path() / "bin").string());
  for (const char* name : {"bin/viewer", "bin/shell"})
    std::filesystem::create_symlink("/bin/sh", (dir.path() / name).string());
  const ProgramList list({"viewer"}, (dir.path() / "bin").string());
  EXPECT_EQ(list.find("viewer").value_or(""), (dir.path() / "bin/viewer").string());
  EXPECT_EQ(list.find("shell").error().status, Status::kForbidden);
  EXPECT_EQ(list.find("/bin/sh").error().status, Status::kForbidden);
}

TEST_F(LauncherTest, WhatCantBeExecutedSaysWhy) {
  const test::TempDir dir;
  const std::string file = (dir.path() / "text").string();
  std::ofstream(file) << "no program\n";
  Launcher any(LaunchSettings{ProgramList({"ALL"}, "/usr/bin"), "", ""});
  const Instant now = monotonic_now();
  any.launch(1, Value::map({{"argv", strings({file})}}), "/x/wayland-0", now, now + seconds(10), out_);
  while (out_.events.empty()) {
    std::vector<pollfd> fds;
    any.poll_fds(fds);
    ::poll(fds.data(), fds.size(), 20'000);
    any.service(monotonic_now(), out_);
  }
  const auto& finished = std::get<CommandFinished>(out_.events.front());
  EXPECT_EQ(finished.status, Status::kFailed);
  EXPECT_THAT(finished.error, HasSubstr("Permission denied"));
  EXPECT_EQ(any.running(), 0U);
}

TEST_F(LauncherTest, ParametersThatMakeNoSenseAreRefused) {
  const Value good = strings({"true"});
  struct Case {
    Value params;
    Status status = Status::kDone;
    const char* text = "";
  };
  const Case cases[] = {
      {Value::map(), Status::kMalformed, "argv: missing"},
      {Value::map({{"argv", Value::array()}}), Status::kMalformed, "argv: a program"},
      {Value::map({{"argv", "true"}}), Status::kMalformed, "argv: an array"},
      {Value::map({{"argv", strings(std::vector<std::string>(65, "true"))}}), Status::kMalformed, "1 to 64"},
      {Value::map({{"argv", strings({"true", std::string(4097, 'x')})}}), Status::kMalformed, "argv[1]: 4097 bytes"},
      {Value::map({{"argv", strings({std::string("true\0x", 6)})}}), Status::kMalformed, "a zero byte"},
      {Value::map({{"argv", good}, {"user", "root"}}), Status::kMalformed, "user: launch has no such parameter"},
      {Value::map({{"argv", good}, {"env", Value::map({{"A B", "x"}})}}), Status::kMalformed,
       "can't be a variable's name"},
      {Value::map({{"argv", good}, {"env", Value::map({{"A", 1}})}}), Status::kMalformed, "env.A: a string"},
      {Value::map({{"argv", good}, {"env", Value::map({{"LD_PRELOAD", "/x.so"}})}}), Status::kForbidden,
       "another program"},
      {Value::map({{"argv", good}, {"env", Value::map({{"DISPLAY", ":9"}})}}), Status::kForbidden, "the agent sets it"},
  };
  for (const auto& bad : cases) {
    const CommandFinished finished = launch(bad.params);
    EXPECT_EQ(finished.status, bad.status) << bad.text;
    EXPECT_THAT(finished.error, HasSubstr(bad.text));
  }
  EXPECT_EQ(launcher_.running(), 0U);
}

TEST_F(LauncherTest, NoMoreThanTheMaximumRunAtOnce) {
  const Instant now = monotonic_now();
  const Value params = Value::map({{"argv", strings({"sleep", "1000"})}});
  for (std::size_t i = 0; i <= Launcher::kRunningMax; ++i) {
    launcher_.launch(i, params, "/x/wayland-0", now, now + seconds(60), out_);
  }
  EXPECT_EQ(launcher_.running(), Launcher::kRunningMax);
  ASSERT_EQ(out_.events.size(), 1U);
  const auto& last = std::get<CommandFinished>(out_.events.front());
  EXPECT_EQ(last.status, Status::kLimit) << last.error;
  ASSERT_TRUE(run_until([&] { return out_.events.size() == Launcher::kRunningMax + 1; }));
  for (const auto& event : out_.events) {
    const Value* pid = std::get<CommandFinished>(event).result.find("pid");
    if (pid != nullptr) started_.push_back(static_cast<pid_t>(*pid->if_int()));
  }
  EXPECT_EQ(started_.size(), Launcher::kRunningMax);
}

}  // namespace
}  // namespace compositord::agent
