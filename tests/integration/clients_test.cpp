// How many programs are connected to real compositors and X servers, as they come and go.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/wayland/connected_display.h"
#include "common/base/clock.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/on_xvfb.h"

namespace compositord {
namespace {

using agent::driver_event::ClientsSeen;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::CompositorProcess;
using test::DriverLoop;
using test::OnXvfb;
using test::RuntimeDir;

void stop(const CompositorProcess& process) {
  process.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(process.pid(), &status, WUNTRACED), process.pid());
}

// Counts again until there are so many; programs take a while to connect, and compositors to see that they are gone. The
// last count, none when there was no answer.
std::optional<std::uint64_t> count_until(DriverLoop& loop, std::uint64_t wanted) {
  const Instant end = monotonic_now() + seconds(15);
  std::optional<std::uint64_t> count;
  while (count != wanted && monotonic_now() < end) {
    const std::size_t before = loop.count<ClientsSeen>();
    loop.driver->count_clients(monotonic_now(), loop.out);
    loop.run_until([&] { return loop.count<ClientsSeen>() > before; }, milliseconds(100));
    count = loop.count<ClientsSeen>() > before ? loop.last<ClientsSeen>()->clients : std::nullopt;
    if (count != wanted) loop.run_until([] { return false; }, milliseconds(20));
  }
  return count;
}

// --- Wayland ---

class WaylandClients : public ::testing::TestWithParam<std::string> {
 protected:
  WaylandClients()
      : compositor_(GetParam() == "sway" ? CompositorProcess::sway(dir_) : CompositorProcess::weston(dir_)),
        loop_({dir_.path(), {}, {}}) {}
  void SetUp() override {
    compositor_.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  }
  CompositorProcess client() const {
    return {dir_, {"/usr/bin/weston-flower"}, {std::string("WAYLAND_DISPLAY=wayland-1")}};
  }
  RuntimeDir dir_;
  CompositorProcess compositor_;
  DriverLoop loop_;
};

INSTANTIATE_TEST_SUITE_P(Wayland, WaylandClients, ::testing::Values("sway", "weston"),
                         [](const auto& kind) { return kind.param; });

TEST_P(WaylandClients, AreCountedAsTheyComeAndGo) {
  // weston's own shell was given its connection, and is none of them.
  EXPECT_EQ(count_until(loop_, 0), 0U) << loop_.log_text();
  CompositorProcess one = client();
  one.start();
  EXPECT_EQ(count_until(loop_, 1), 1U);
  CompositorProcess two = client();
  two.start();
  EXPECT_EQ(count_until(loop_, 2), 2U);
  one.signal(SIGKILL);
  EXPECT_EQ(count_until(loop_, 1), 1U);
  two.signal(SIGTERM);
  EXPECT_EQ(count_until(loop_, 0), 0U);
}

TEST_P(WaylandClients, DoNotIncludeTheAgentsOtherConnections) {
  CompositorProcess one = client();
  one.start();
  ASSERT_EQ(count_until(loop_, 1), 1U);
  const auto side = agent::connect_unix(dir_.path() + "/wayland-1");
  ASSERT_TRUE(side);
  EXPECT_EQ(count_until(loop_, 1), 1U);
}

TEST_P(WaylandClients, StayWhatTheyWereWhileTheCompositorIsStopped) {
  ASSERT_EQ(count_until(loop_, 0), 0U);
  stop(compositor_);
  loop_.driver->count_clients(monotonic_now(), loop_.out);
  EXPECT_EQ(loop_.last<ClientsSeen>()->clients, 0U);
  const auto waits = agent::connect_unix(dir_.path() + "/wayland-1");
  ASSERT_TRUE(waits);
  const std::size_t before = loop_.count<ClientsSeen>();
  loop_.driver->count_clients(monotonic_now(), loop_.out);
  EXPECT_EQ(loop_.count<ClientsSeen>(), before) << "who of those that wait is the agent can't be told";
  compositor_.signal(SIGCONT);
  EXPECT_EQ(count_until(loop_, 0), 0U);
}

// --- X ---

class XClients : public OnXvfb {
 protected:
  void SetUp() override {
    server_.start();
    ASSERT_TRUE(server_.wait_until_listening(display_.socket_path()));
    ASSERT_TRUE(wait_for_name("Xvfb")) << loop_.log_text();
  }
};

TEST_F(XClients, AreCountedAsTheyComeAndGo) {
  EXPECT_EQ(count_until(loop_, 0), 0U) << loop_.log_text();
  CompositorProcess manager = display_.client({"/usr/bin/openbox"});
  manager.start();
  ASSERT_TRUE(wait_for_name("openbox")) << loop_.log_text();
  EXPECT_EQ(count_until(loop_, 1), 1U);
  CompositorProcess xterm = display_.client({"/usr/bin/xterm", "-e", "/usr/bin/sleep", "60"});
  xterm.start();
  EXPECT_EQ(count_until(loop_, 2), 2U);
  xterm.signal(SIGKILL);
  EXPECT_EQ(count_until(loop_, 1), 1U);
}

TEST_F(XClients, AreAskedForOnceWhileTheServerIsStopped) {
  ASSERT_EQ(count_until(loop_, 0), 0U);
  stop(server_);
  const std::size_t before = loop_.count<ClientsSeen>();
  for (int i = 0; i < 3; ++i) loop_.driver->count_clients(monotonic_now(), loop_.out);
  EXPECT_FALSE(loop_.run_until([&] { return loop_.count<ClientsSeen>() > before; }, milliseconds(300)));
  server_.signal(SIGCONT);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<ClientsSeen>() > before; }));
  // What was asked before it is answered before it.
  ASSERT_TRUE(loop_.probe(seconds(5)));
  EXPECT_EQ(loop_.count<ClientsSeen>(), before + 1);
}

}  // namespace
}  // namespace compositord
