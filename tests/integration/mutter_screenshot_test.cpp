// Screenshots of Mutter through a PipeWire server of the test's own, with the session manager that links its nodes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "agent/mutter/screen_cast.h"
#include "common/base/clock.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/support_facts.h"
#include "tests/support/taken_screenshot.h"

namespace compositord {
namespace {

using agent::driver_event::CommandFinished;
using agent::driver_event::Described;
using agent::driver_event::Gone;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::as_text;
using test::CompositorProcess;
using test::DriverLoop;
using test::on_output;
using test::output_of;
using test::RuntimeDir;
using test::take_screenshot;
using test::TakenScreenshot;
using ::testing::HasSubstr;

CompositorProcess program(const RuntimeDir& dir, const std::string& path, std::vector<std::string> environment = {}) {
  environment.push_back("DBUS_SESSION_BUS_ADDRESS=unix:path=" + dir.path() + "/bus");
  return {dir, {path}, std::move(environment), CompositorProcess::User::kOurs};
}

bool is_other_colour(std::uint32_t a, std::uint32_t b) {
  for (const unsigned shift : {16U, 8U, 0U}) {
    const int difference = static_cast<int>(a >> shift & 0xffU) - static_cast<int>(b >> shift & 0xffU);
    if (std::abs(difference) > 4) return true;
  }
  return false;
}

class MutterScreenshot : public ::testing::Test {
 protected:
  MutterScreenshot()
      : bus_(CompositorProcess::session_bus(dir_)),
        pipewire_(program(dir_, "/usr/bin/pipewire")),
        session_manager_(program(dir_, "/usr/bin/wireplumber")),
        mutter_(CompositorProcess::mutter(dir_, {"640x480@60", "800x600@60"})),
        loop_({dir_.path(), {}, {}}) {}
  void start(bool with_pipewire = true) {
    bus_.start();
    ASSERT_TRUE(bus_.wait_until_listening("bus"));
    if (with_pipewire) start_pipewire();
    mutter_.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  }
  void start_pipewire() {
    pipewire_.start();
    ASSERT_TRUE(pipewire_.wait_until_listening("pipewire-0"));
    session_manager_.start();
  }
  void start_and_wait() {
    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_TRUE(loop_.run_until([&] { return support().supported; })) << support().reason;
  }
  msg::CommandSupport support() const { return loop_.support_of("screenshot"); }
  // The sessions that Mutter has, by somebody else's hand.
  std::string sessions() const {
    return output_of("busctl --address=unix:path=" + dir_.path() +
                     "/bus --list tree org.gnome.Mutter.ScreenCast 2>&1 | grep ScreenCast/Session/");
  }
  RuntimeDir dir_;
  CompositorProcess bus_;
  CompositorProcess pipewire_;
  CompositorProcess session_manager_;
  CompositorProcess mutter_;
  DriverLoop loop_;
};

TEST_F(MutterScreenshot, OfAnOutputShowsItsWindows) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait());
  const TakenScreenshot empty = take_screenshot(loop_, on_output("Meta-0"));
  ASSERT_EQ(empty.finished.status, Status::kDone) << as_text(empty.finished);
  EXPECT_EQ(empty.image.width, 640U);
  EXPECT_EQ(empty.image.height, 480U);
  // Mutter's background is a gradient that it draws a little differently each time; a window differs more.
  const TakenScreenshot before = take_screenshot(loop_);
  const auto changed_pixels = [&](const TakenScreenshot& shot) {
    std::size_t changed = 0;
    for (std::size_t i = 0; i < before.image.pixels.size() && i < shot.image.pixels.size(); ++i) {
      changed += is_other_colour(shot.image.pixels[i], before.image.pixels[i]) ? 1U : 0U;
    }
    return changed;
  };
  EXPECT_EQ(changed_pixels(take_screenshot(loop_)), 0U);
  EXPECT_FALSE(std::equal(before.image.pixels.begin() + 1, before.image.pixels.end(), before.image.pixels.begin()));
  auto client = program(dir_, "/usr/bin/weston-simple-shm", {"WAYLAND_DISPLAY=wayland-0"});
  client.start();
  // Its window has 250x250, when Mutter has drawn how it opens.
  const auto is_open = [&](const TakenScreenshot& shot) {
    return changed_pixels(shot) > 40'000 && changed_pixels(shot) <= 250 * 250;
  };
  const Instant end = monotonic_now() + seconds(10);
  TakenScreenshot after;
  do {
    after = take_screenshot(loop_);
    ASSERT_EQ(after.finished.status, Status::kDone) << as_text(after.finished);
  } while (!is_open(after) && monotonic_now() < end);
  EXPECT_TRUE(is_open(after)) << changed_pixels(after);
  EXPECT_EQ(sessions(), "") << "each was stopped";
  test::record_command(loop_, "screenshot", after.finished);
}

TEST_F(MutterScreenshot, OfAllOutputsLiesAsTheLayoutDoesAndAThumbnailIsSmaller) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait());
  const TakenScreenshot all = take_screenshot(loop_);
  ASSERT_EQ(all.finished.status, Status::kDone) << as_text(all.finished);
  EXPECT_EQ(all.image.width, 1440U);
  EXPECT_EQ(all.image.height, 600U);
  EXPECT_NE(all.image.at(0, 0), 0U);
  EXPECT_NE(all.image.at(1439, 0), 0U);
  EXPECT_EQ(all.finished.result.find("outputs")->if_array()->size(), 2U);
  EXPECT_EQ(take_screenshot(loop_, Value::map({{"max_width", 144}})).image.height, 60U);
  const TakenScreenshot none = take_screenshot(loop_, on_output("DP-7"));
  EXPECT_EQ(none.finished.status, Status::kNotFound) << as_text(none.finished);
}

TEST_F(MutterScreenshot, OfATurnedOutputIsUpright) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait());
  ASSERT_EQ(loop_.run("output.transform", Value::map({{"output", "Meta-0"}, {"transform", "90"}})).status,
            Status::kDone);
  const TakenScreenshot one = take_screenshot(loop_, on_output("Meta-0"));
  ASSERT_EQ(one.finished.status, Status::kDone) << as_text(one.finished);
  EXPECT_EQ(one.image.width, 480U);
  EXPECT_EQ(one.image.height, 640U);
}

TEST_F(MutterScreenshot, OfAStoppedPeerEndsAtItsDeadlineAndTheDriverGoesOn) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait());
  for (const CompositorProcess* stopped : {&mutter_, &bus_, &pipewire_, &session_manager_}) {
    stopped->signal(SIGSTOP);
    const std::size_t before = loop_.services;
    const Instant asked_at = monotonic_now();
    const TakenScreenshot late = take_screenshot(loop_, Value::map(), milliseconds(700));
    EXPECT_EQ(late.finished.status, Status::kDeadline) << as_text(late.finished);
    EXPECT_LT(monotonic_now() - asked_at, seconds(5));
    EXPECT_LT(loop_.services - before, 100U) << "the driver spins";
    stopped->signal(SIGCONT);
    ASSERT_TRUE(loop_.probe(seconds(5)));
  }
  EXPECT_EQ(take_screenshot(loop_).finished.status, Status::kDone) << "and goes on";
  EXPECT_TRUE(loop_.run_until([&] { return sessions().empty(); })) << sessions();
}

TEST_F(MutterScreenshot, ThatNobodyWaitsForAnyMoreLeavesNothingBehind) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait());
  for (int ms = 1; ms < 120; ms += 7) {
    const TakenScreenshot late = take_screenshot(loop_, Value::map(), milliseconds(ms));
    ASSERT_TRUE(late.finished.status == Status::kDeadline || late.finished.status == Status::kDone)
        << as_text(late.finished);
  }
  EXPECT_TRUE(loop_.run_until([&] { return sessions().empty(); })) << sessions();
  EXPECT_EQ(take_screenshot(loop_).finished.status, Status::kDone);
  EXPECT_EQ(loop_.count<Gone>(), 0U);
}

TEST_F(MutterScreenshot, WithoutPipeWireIsRefusedWithThePlaceWhereItShouldBe) {
  ASSERT_NO_FATAL_FAILURE(start(false));
  ASSERT_TRUE(loop_.run_until([&] { return support().reason.find("there is none at") != std::string::npos; }))
      << support().reason;
  const TakenScreenshot none = take_screenshot(loop_);
  EXPECT_EQ(none.finished.status, Status::kUnsupported);
  EXPECT_EQ(none.finished.error,
            "mutter shows its screen only through PipeWire, and there is none at " + dir_.path() + "/pipewire-0");
}

TEST(PipeWireSocket, IsWhereItsVariablesSay) {
  using agent::mutter::pipewire_socket_in;
  const auto environment = [](std::initializer_list<std::string> variables) {
    std::string text;
    for (const std::string& variable : variables) text += variable + '\0';
    return text;
  };
  EXPECT_EQ(pipewire_socket_in(environment({"XDG_RUNTIME_DIR=/run/user/7"})), "/run/user/7/pipewire-0");
  EXPECT_EQ(pipewire_socket_in(environment({"XDG_RUNTIME_DIR=/run/user/7", "PIPEWIRE_RUNTIME_DIR=/x"})),
            "/x/pipewire-0");
  EXPECT_EQ(pipewire_socket_in(environment({"XDG_RUNTIME_DIR=/run/user/7", "PIPEWIRE_REMOTE=other"})),
            "/run/user/7/other");
  EXPECT_EQ(pipewire_socket_in(environment({"PIPEWIRE_REMOTE=/y/z"})), "/y/z");
  EXPECT_EQ(pipewire_socket_in(environment({"XDG_RUNTIME_DIR=relative"})), "");
  EXPECT_EQ(pipewire_socket_in(""), "");
}

}  // namespace
}  // namespace compositord
