// Finding a display: sockets that accept, stale ones, missing ones, too many. Time is a number; inotify is real.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "agent/process/file_descriptor.h"
#include "agent/wayland/display_watch.h"
#include "tests/support/temp_dir.h"

namespace compositord::agent {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class NoDriver : public Driver {
 public:
  void poll_fds(std::vector<pollfd>&) const override {}
  Instant next_deadline() const noexcept override { return kNever; }
  void service(Instant, DriverOutputs&) override {}
  void start_probe(Instant, DriverOutputs&) override {}
  void look_at_process(DriverOutputs&) override {}
  void count_clients(Instant, DriverOutputs&) override {}
  void execute(std::uint64_t, const std::string&, const msg::Value&, Instant, Instant, DriverOutputs&) override {}
};

// A socket file. Closed without removing the file it is stale, as after kill -9.
FileDescriptor listen_on(const std::string& path, bool listening = true) {
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path;
  if (listening) {
    EXPECT_EQ(::listen(fd.get(), 8), 0);
  }
  return fd;
}

// A process that leads a session of its own, as a compositor does that the agent started. The test's own session won't do: in a
// container it has no number (getsid() gives 0 when the leader is outside).
class SessionLeader {
 public:
  // `bound`: the socket that it will listen on. The kernel names who called listen(2) as the peer.
  explicit SessionLeader(int bound) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      lead(ends[1], bound);
    }
    ::close(ends[1]);
    talk_ = FileDescriptor(ends[0]);
    wait_for_it();
  }
  ~SessionLeader() {
    talk_.close();
    ::waitpid(pid_, nullptr, 0);
  }
  SessionLeader(const SessionLeader&) = delete;
  SessionLeader& operator=(const SessionLeader&) = delete;

  pid_t session() const { return pid_; }
  void listen() {
    EXPECT_EQ(::write(talk_.get(), "l", 1), 1);
    wait_for_it();
  }

 private:
  [[noreturn]] static void lead(int talk, int bound) {
    ::setsid();
    char order = 'r';  // ready
    while (::write(talk, &order, 1) == 1 && ::read(talk, &order, 1) == 1) ::listen(bound, 8);
    ::_exit(0);
  }
  void wait_for_it() {
    char answer = 0;
    EXPECT_EQ(::read(talk_.get(), &answer, 1), 1);
  }

  pid_t pid_ = -1;
  FileDescriptor talk_;
};

class DisplayWatchTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (dir_.path() / name).string(); }
  DisplayWatch make(DisplaySettings settings) {
    return DisplayWatch(std::move(settings),
                        [this](ConnectedDisplay display, Instant) -> Result<std::unique_ptr<Driver>> {
                          made_.push_back(display.name);
                          return std::unique_ptr<Driver>(std::make_unique<NoDriver>());
                        });
  }
  DisplayWatch scanning() { return make({dir_.path().string(), {}, {}}); }
  bool found(DisplayWatch& watch) { return watch.service(now_, out_) != nullptr; }
  // Whether inotify has something, and then lets the watch look.
  bool woken(const DisplayWatch& watch) const {
    std::vector<pollfd> fds;
    watch.poll_fds(fds);
    return !fds.empty() && ::poll(fds.data(), fds.size(), 5000) == 1;
  }
  void pass_to(Instant when) { now_ = when; }
  std::vector<std::string> log_names() const {
    std::vector<std::string> names;
    for (const LogEvent& event : out_.log) names.emplace_back(event.name);
    return names;
  }

  test::TempDir dir_;
  DriverOutputs out_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::vector<std::string> made_;
};

TEST_F(DisplayWatchTest, TakesTheOnlySocketThatAccepts) {
  const auto stale = listen_on(path("wayland-0"), false);
  const auto live = listen_on(path("wayland-1"));
  std::ofstream(path("wayland-1.lock")) << "as libwayland leaves it";
  DisplayWatch watch = scanning();
  EXPECT_TRUE(found(watch));
  EXPECT_THAT(made_, ElementsAre("wayland-1"));
  EXPECT_EQ(watch.next_deadline(), kNever) << "it rests";
  std::vector<pollfd> fds;
  watch.poll_fds(fds);
  EXPECT_TRUE(fds.empty());
}

TEST_F(DisplayWatchTest, WaitsWithoutATimerForAFileThatIsNotThere) {
  DisplayWatch watch = scanning();
  EXPECT_FALSE(found(watch));
  EXPECT_EQ(watch.next_deadline(), kNever);
  const auto live = listen_on(path("wayland-1"));
  ASSERT_TRUE(woken(watch));
  EXPECT_TRUE(found(watch));
}

TEST_F(DisplayWatchTest, AsksAStaleSocketSoonAndThenSeldom) {
  const auto fd = listen_on(path("wayland-1"), false);
  DisplayWatch watch = make({dir_.path().string(), {}, "wayland-1"});
  EXPECT_FALSE(found(watch));
  EXPECT_EQ(watch.next_deadline(), now_ + DisplayWatch::kFirstRetry);
  for (int i = 0; i < 20; ++i) {
    pass_to(watch.next_deadline());
    EXPECT_FALSE(found(watch));
    EXPECT_GT(watch.next_deadline(), now_) << "it spins";
    EXPECT_LE(watch.next_deadline(), now_ + DisplayWatch::kStaleRetry);
  }
  EXPECT_EQ(watch.next_deadline(), now_ + DisplayWatch::kStaleRetry);
  EXPECT_THAT(log_names(), ElementsAre("display.stale")) << "once, not at each look";
  ASSERT_EQ(::listen(fd.get(), 8), 0);  // no event comes of this
  pass_to(watch.next_deadline());
  EXPECT_TRUE(found(watch));
}

TEST_F(DisplayWatchTest, FindsTheCompositorThatReplacesAStaleSocket) {
  { const auto dead = listen_on(path("wayland-1")); }
  DisplayWatch watch = scanning();
  EXPECT_FALSE(found(watch));
  ::unlink(path("wayland-1").c_str());
  const auto live = listen_on(path("wayland-1"));
  ASSERT_TRUE(woken(watch));
  EXPECT_TRUE(found(watch)) << "without waiting for the timer";
}

TEST_F(DisplayWatchTest, NamesSeveralDisplaysOnceAndWaits) {
  const auto a = listen_on(path("wayland-1"));
  auto b = listen_on(path("wayland-7"));
  DisplayWatch watch = scanning();
  EXPECT_FALSE(found(watch));
  ASSERT_THAT(log_names(), ElementsAre("display.ambiguous"));
  EXPECT_THAT(to_text(out_.log.front()), HasSubstr("wayland-1 wayland-7"));
  pass_to(watch.next_deadline());
  EXPECT_FALSE(found(watch));
  EXPECT_EQ(out_.log.size(), 1U);
  b.close();
  pass_to(watch.next_deadline());
  EXPECT_TRUE(found(watch));
  EXPECT_THAT(made_, ElementsAre("wayland-1"));
}

TEST_F(DisplayWatchTest, PrefersWhatItWasToldToTheEnvironment) {
  const auto a = listen_on(path("wayland-1"));
  const auto b = listen_on(path("custom"));
  DisplayWatch told = make({"/nonexistent", path("custom"), "wayland-1"});
  EXPECT_TRUE(found(told));
  DisplayWatch environment = make({dir_.path().string(), {}, "wayland-1"});
  EXPECT_TRUE(found(environment));
  EXPECT_THAT(made_, ElementsAre("custom", "wayland-1"));
}

TEST_F(DisplayWatchTest, WaitsForADirectoryWithATimerAndForItsReturn) {
  const std::string runtime_dir = path("user");
  DisplayWatch watch = make({runtime_dir, "wayland-1", {}});
  EXPECT_FALSE(found(watch));
  EXPECT_EQ(watch.next_deadline(), now_ + DisplayWatch::kDirectoryRetry);
  for (int round = 0; round < 2; ++round) {
    std::filesystem::create_directory(runtime_dir);
    pass_to(watch.next_deadline());
    EXPECT_FALSE(found(watch));
    std::filesystem::remove_all(runtime_dir);
    ASSERT_TRUE(woken(watch)) << "the directory is gone again";
    EXPECT_FALSE(found(watch));
    ASSERT_NE(watch.next_deadline(), kNever);
  }
  std::filesystem::create_directory(runtime_dir);
  const auto live = listen_on(runtime_dir + "/wayland-1");
  pass_to(watch.next_deadline());
  EXPECT_TRUE(found(watch));
}

TEST_F(DisplayWatchTest, DoesNotAskInATightLoopACompositorThatDropsIt) {
  const auto live = listen_on(path("wayland-1"));
  DisplayWatch watch = scanning();
  ASSERT_TRUE(found(watch));
  now_ = now_ + milliseconds(1);
  watch.search_again(now_);
  EXPECT_FALSE(found(watch));
  EXPECT_GE(watch.next_deadline() - now_, milliseconds(100));
  pass_to(watch.next_deadline());
  EXPECT_TRUE(found(watch));
  // One that lived for a while is looked for at once.
  now_ = now_ + std::chrono::seconds(10);
  watch.search_again(now_);
  EXPECT_TRUE(found(watch));
}

TEST_F(DisplayWatchTest, WithASessionExpectedItTakesNoOther) {
  const auto fd = listen_on(path("wayland-1"), false);
  SessionLeader ours(fd.get());
  ours.listen();
  DisplayWatch watch = scanning();
  watch.expect_session(0, now_);
  EXPECT_FALSE(found(watch)) << "ours is not there yet";
  EXPECT_EQ(watch.next_deadline(), kNever) << "others are left in peace";
  watch.expect_session(::getpid(), now_);
  EXPECT_FALSE(found(watch));
  EXPECT_EQ(watch.next_deadline(), kNever);
  watch.expect_session(ours.session(), now_);
  EXPECT_TRUE(found(watch));
}

TEST_F(DisplayWatchTest, WithASessionExpectedItFindsItsOwnThatListensLater) {
  const auto foreign = listen_on(path("wayland-0"), false);
  const auto fd = listen_on(path("wayland-1"), false);
  SessionLeader ours(fd.get());
  DisplayWatch watch = scanning();
  watch.expect_session(ours.session(), now_);
  EXPECT_FALSE(found(watch));
  ours.listen();  // no event comes of this
  pass_to(watch.next_deadline());
  EXPECT_TRUE(found(watch));
  EXPECT_THAT(made_, ElementsAre("wayland-1"));
}

TEST_F(DisplayWatchTest, SaysWhyADisplayCanNotBeUsed) {
  DisplayWatch watch = make({{}, "/" + std::string(200, 'x'), {}});
  EXPECT_FALSE(found(watch));
  EXPECT_THAT(log_names(), ::testing::Contains("display.refused"));
  const auto live = listen_on(path("wayland-1"));
  DisplayWatch failing(
      {dir_.path().string(), {}, {}},
      [](ConnectedDisplay, Instant) -> Result<std::unique_ptr<Driver>> { return fail(Status::kFailed, "no luck"); });
  EXPECT_FALSE(found(failing));
  EXPECT_THAT(to_text(out_.log.back()), HasSubstr("no luck"));
  EXPECT_GT(failing.next_deadline(), now_);
}

}  // namespace
}  // namespace compositord::agent
