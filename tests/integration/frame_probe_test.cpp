// The probe of the frames, on compositors that draw, that answer and draw nothing, and that have nothing to draw on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <string>

#include "agent/driver.h"
#include "agent/sway/driver_factory.h"
#include "common/base/clock.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/x_display.h"

namespace compositord {
namespace {

using agent::driver_event::FramesSeen;
using agent::driver_event::Gone;
using agent::driver_event::ProbeAnswered;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::as_text;
using test::CompositorProcess;
using test::DriverLoop;
using test::on_output;
using test::RuntimeDir;
using test::XDisplay;
using ::testing::HasSubstr;

constexpr milliseconds kInterval{200};

agent::DriverFactory probing() {
  return [](agent::ConnectedDisplay display, Instant now) {
    return agent::make_wayland_family_driver(std::move(display), now, kInterval);
  };
}

void wait_for_stop(const CompositorProcess& process) {
  process.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(process.pid(), &status, WUNTRACED), process.pid());
}

bool is_in_trouble(const DriverLoop& loop) {
  return loop.last<FramesSeen>() != nullptr && !loop.last<FramesSeen>()->trouble.empty();
}

// It draws, and goes on drawing for so long that two misses would have been seen.
void expect_it_draws(DriverLoop& loop) {
  ASSERT_TRUE(loop.run_until([&] { return loop.last<FramesSeen>() != nullptr; })) << loop.log_text();
  loop.run_until([&] { return is_in_trouble(loop); }, seconds(5));
  EXPECT_EQ(loop.last<FramesSeen>()->trouble, "");
  EXPECT_FALSE(loop.logged("frames.not_probed")) << loop.log_text();
}

TEST(FrameProbe, SeesThatSwayDraws) {
  RuntimeDir dir;
  CompositorProcess sway = CompositorProcess::sway(dir, 2);
  DriverLoop loop({dir.path(), {}, {}}, probing());
  sway.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  expect_it_draws(loop);
}

// sway as a window on an X server: while that is stopped, sway answers each request, and no frame is ever drawn.
TEST(FrameProbe, SeesThatSwayAnswersAndDrawsNothing) {
  RuntimeDir dir;
  const XDisplay x(dir);
  CompositorProcess server = x.xvfb();
  server.start();
  ASSERT_TRUE(server.wait_until_listening(x.socket_path()));
  std::ofstream(dir.path() + "/sway.cfg") << "xwayland disable\n";
  CompositorProcess sway(dir, {"/usr/bin/sway", "-c", dir.path() + "/sway.cfg"},
                         {"DISPLAY=" + x.name(), "WLR_BACKENDS=x11", "WLR_X11_OUTPUTS=1", "WLR_RENDERER=pixman"});
  sway.start();
  DriverLoop loop({dir.path(), {}, {}}, probing());
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  ASSERT_TRUE(loop.run_until([&] { return loop.last<FramesSeen>() != nullptr; })) << loop.log_text();
  EXPECT_FALSE(is_in_trouble(loop));
  wait_for_stop(server);
  ASSERT_TRUE(loop.run_until([&] { return is_in_trouble(loop); }, seconds(20))) << loop.log_text();
  EXPECT_EQ(loop.last<FramesSeen>()->trouble, "sway answers, but draws no frames on X11-1");
  EXPECT_TRUE(loop.probe(seconds(5))) << "the other probe finds nothing";
  server.signal(SIGCONT);
  EXPECT_TRUE(loop.run_until([&] { return !is_in_trouble(loop); }, seconds(20)));
}

TEST(FrameProbe, LeavesAFrozenCompositorToTheOtherProbe) {
  RuntimeDir dir;
  CompositorProcess sway = CompositorProcess::sway(dir);
  DriverLoop loop({dir.path(), {}, {}}, probing());
  sway.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  wait_for_stop(sway);
  loop.run_until([&] { return is_in_trouble(loop); }, seconds(8));
  EXPECT_FALSE(is_in_trouble(loop)) << loop.last<FramesSeen>()->trouble;
  sway.signal(SIGCONT);
  expect_it_draws(loop);
}

TEST(FrameProbe, FindsNoFaultInAnOutputThatIsOff) {
  RuntimeDir dir;
  CompositorProcess bus = CompositorProcess::session_bus(dir);
  bus.start();
  ASSERT_TRUE(bus.wait_until_listening("bus"));
  CompositorProcess kwin = CompositorProcess::kwin(dir, 2);
  DriverLoop loop({dir.path(), {}, {}}, probing());
  kwin.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  expect_it_draws(loop);
  const auto off = loop.run("output.disable", on_output("Virtual-1"));
  ASSERT_EQ(off.status, Status::kDone) << as_text(off);
  expect_it_draws(loop);
}

TEST(FrameProbe, SaysWhereItCanNotBeMade) {
  RuntimeDir dir;
  CompositorProcess weston = CompositorProcess::weston(dir);
  DriverLoop loop({dir.path(), {}, {}}, probing());
  weston.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  ASSERT_TRUE(loop.run_until([&] { return loop.logged("frames.not_probed"); })) << loop.log_text();
  EXPECT_THAT(loop.log_text(), HasSubstr("weston does not tell which monitors sleep"));
  EXPECT_EQ(loop.count<Gone>(), 0U);
}

}  // namespace
}  // namespace compositord
