// Screenshots of KWin, which draws with OpenGL in software here, with swaybg's colours to be seen in them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>

#include "agent/kde/kwin_screenshot.h"
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
using test::RuntimeDir;
using test::take_screenshot;
using test::take_screenshot_until;
using test::TakenScreenshot;
using ::testing::HasSubstr;

constexpr const char* kNoPermissionNeeded = "KWIN_SCREENSHOT_NO_PERMISSION_CHECKS=1";
constexpr std::uint32_t kFirst = 0xd0'2020, kSecond = 0x20'20d0;

using MakeKwin = std::function<CompositorProcess(const RuntimeDir&)>;

MakeKwin with_opengl(std::vector<std::string> environment = {}) {
  return [=](const RuntimeDir& dir) { return CompositorProcess::kwin_gl(dir, 2, environment); };
}

// KWin on a bus of its own, and an agent's driver.
struct Desktop {
  explicit Desktop(const MakeKwin& make_kwin)
      : bus(CompositorProcess::session_bus(dir)), kwin(make_kwin(dir)), loop({dir.path(), {}, {}}) {}

  void start() {
    bus.start();
    ASSERT_TRUE(bus.wait_until_listening("bus"));
    kwin.start();
    ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  }
  msg::CommandSupport support() const { return loop.support_of("screenshot"); }
  bool wait_for_reason(const std::string& part) {
    return loop.run_until([&] { return support().reason.find(part) != std::string::npos; });
  }
  RuntimeDir dir;
  CompositorProcess bus;
  CompositorProcess kwin;
  DriverLoop loop;
};

CompositorProcess colours(const RuntimeDir& dir) {
  return {dir,
          {"/usr/bin/swaybg", "-o", "Virtual-0", "-c", "#d02020", "-o", "Virtual-1", "-c", "#2020d0"},
          {"WAYLAND_DISPLAY=wayland-0"},
          CompositorProcess::User::kOurs};
}

class KwinScreenshot : public ::testing::Test {
 protected:
  KwinScreenshot() : desktop_(with_opengl({kNoPermissionNeeded})), colours_(colours(desktop_.dir)) {}
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(desktop_.start());
    colours_.start();
    ASSERT_TRUE(loop_.run_until([&] { return desktop_.support().supported; })) << desktop_.support().reason;
    ASSERT_EQ(take_screenshot_until(loop_, on_output("Virtual-0"), 9, 9, kFirst).image.at(9, 9), kFirst);
    ASSERT_EQ(take_screenshot_until(loop_, on_output("Virtual-1"), 9, 9, kSecond).image.at(9, 9), kSecond);
  }
  Desktop desktop_;
  CompositorProcess colours_;
  DriverLoop& loop_ = desktop_.loop;
};

TEST_F(KwinScreenshot, OfAnOutputShowsItsColours) {
  const TakenScreenshot one = take_screenshot(loop_, on_output("Virtual-1"));
  ASSERT_EQ(one.finished.status, Status::kDone) << as_text(one.finished);
  EXPECT_EQ(one.image.width, 1280U);
  EXPECT_EQ(one.image.height, 720U);
  for (const std::uint32_t pixel : one.image.pixels) ASSERT_EQ(pixel, kSecond);
  EXPECT_EQ(*one.finished.result.find("outputs"), Value::array({"Virtual-1"}));
  test::record_command(loop_, "screenshot", one.finished);
}

TEST_F(KwinScreenshot, OfAllOutputsLiesAsTheLayoutDoes) {
  ASSERT_EQ(loop_.run("output.position", Value::map({{"output", "Virtual-1"}, {"x", 1280}, {"y", 80}})).status,
            Status::kDone);
  const TakenScreenshot all = take_screenshot(loop_);
  ASSERT_EQ(all.finished.status, Status::kDone) << as_text(all.finished);
  EXPECT_EQ(all.image.width, 2560U);
  EXPECT_EQ(all.image.height, 800U);
  EXPECT_EQ(all.image.at(1279, 719), kFirst);
  EXPECT_EQ(all.image.at(1280, 80), kSecond);
  EXPECT_EQ(all.image.at(1280, 79), 0U) << "above it is nothing";
  EXPECT_EQ(*all.finished.result.find("outputs"), Value::array({"Virtual-0", "Virtual-1"}));
  const TakenScreenshot small = take_screenshot(loop_, Value::map({{"max_width", 128}}));
  EXPECT_EQ(small.image.width, 128U);
  EXPECT_EQ(small.image.height, 40U);
  EXPECT_EQ(small.image.at(10, 10), kFirst);
}

TEST_F(KwinScreenshot, OfATurnedAndScaledOutputIsUprightAndInItsOwnPixels) {
  ASSERT_EQ(loop_.run("output.transform", Value::map({{"output", "Virtual-1"}, {"transform", "90"}})).status,
            Status::kDone);
  ASSERT_EQ(loop_.run("output.scale", Value::map({{"output", "Virtual-1"}, {"scale", 2}})).status, Status::kDone);
  const TakenScreenshot one = take_screenshot_until(loop_, on_output("Virtual-1"), 700, 1200, kSecond);
  ASSERT_EQ(one.finished.status, Status::kDone) << as_text(one.finished);
  EXPECT_EQ(one.image.width, 720U);
  EXPECT_EQ(one.image.height, 1280U);
}

TEST_F(KwinScreenshot, OfAnOutputThatIsNotThereOrOffIsRefusedWithThoseThatAre) {
  ASSERT_EQ(loop_.run("output.disable", on_output("Virtual-1")).status, Status::kDone);
  for (const char* output : {"Virtual-1", "DP-7"}) {
    const TakenScreenshot none = take_screenshot(loop_, on_output(output));
    EXPECT_EQ(none.finished.status, Status::kNotFound) << as_text(none.finished);
    EXPECT_THAT(none.finished.error, HasSubstr("kwin_wayland has Virtual-0"));
  }
}

TEST_F(KwinScreenshot, OfAStoppedKwinOrBusEndsAtItsDeadlineAndTheDriverGoesOn) {
  for (const CompositorProcess* stopped : {&desktop_.kwin, &desktop_.bus}) {
    stopped->signal(SIGSTOP);
    const std::size_t before = loop_.services;
    const Instant asked_at = monotonic_now();
    const TakenScreenshot late = take_screenshot(loop_, Value::map(), milliseconds(700));
    EXPECT_EQ(late.finished.status, Status::kDeadline) << as_text(late.finished);
    EXPECT_LT(monotonic_now() - asked_at, seconds(5));
    EXPECT_LT(loop_.services - before, 50U) << "the driver spins";
    stopped->signal(SIGCONT);
    EXPECT_TRUE(loop_.probe(seconds(5)));
  }
  EXPECT_EQ(take_screenshot(loop_).finished.status, Status::kDone);
}

TEST_F(KwinScreenshot, ThatNobodyWaitsForAnyMoreDoesNotHurtKwin) {
  // Whatever stage it is in when its pipe is closed: KWin lives on and gives the next one.
  for (int ms = 1; ms < 40; ms += 3) {
    const TakenScreenshot late = take_screenshot(loop_, Value::map(), milliseconds(ms));
    ASSERT_TRUE(late.finished.status == Status::kDeadline || late.finished.status == Status::kDone)
        << as_text(late.finished);
  }
  EXPECT_TRUE(loop_.probe(seconds(5)));
  EXPECT_EQ(take_screenshot(loop_).finished.status, Status::kDone);
  EXPECT_EQ(loop_.count<Gone>(), 0U);
}

TEST_F(KwinScreenshot, EndsWithKwin) {
  desktop_.kwin.signal(SIGSTOP);
  const Instant now = monotonic_now();
  loop_.driver->execute(77, "screenshot", Value::map(), now, now + seconds(30), loop_.out);
  desktop_.kwin.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  ASSERT_NE(loop_.last<CommandFinished>(), nullptr);
  EXPECT_EQ(loop_.last<CommandFinished>()->command_id, 77U);
  EXPECT_EQ(loop_.last<CommandFinished>()->status, Status::kGone);
}

TEST(KwinWithoutOpenGl, TakesNoScreenshotsAndSaysWhy) {
  Desktop desktop([](const RuntimeDir& dir) { return CompositorProcess::kwin(dir, 1); });
  ASSERT_NO_FATAL_FAILURE(desktop.start());
  ASSERT_TRUE(desktop.wait_for_reason("when it draws with OpenGL")) << desktop.support().reason;
  const TakenScreenshot none = take_screenshot(desktop.loop);
  EXPECT_EQ(none.finished.status, Status::kUnsupported);
  EXPECT_EQ(none.finished.error, "kwin_wayland offers no org.kde.KWin.ScreenShot2; it does when it draws with OpenGL");
}

TEST(KwinWithPermissions, LetsOnlyAProgramTakeScreenshotsThatADesktopFileNames) {
  Desktop desktop(with_opengl());
  ASSERT_NO_FATAL_FAILURE(desktop.start());
  ASSERT_TRUE(desktop.wait_for_reason(".desktop file")) << desktop.support().reason;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  EXPECT_THAT(desktop.support().reason,
              HasSubstr("Exec=" + self + " and X-KDE-DBUS-Restricted-Interfaces=org.kde.KWin.ScreenShot2"));
  EXPECT_EQ(take_screenshot(desktop.loop).finished.status, Status::kUnsupported);
}

// The one that is installed, with this program in the agent's place.
std::string desktop_file() {
  std::ostringstream text;
  text << std::ifstream(COMPOSITOR_AGENT_DESKTOP).rdbuf();
  std::string file = text.str();
  constexpr std::string_view kProgram = "@COMPOSITOR_AGENT@";
  return file.replace(file.find(kProgram), kProgram.size(), std::filesystem::read_symlink("/proc/self/exe").string());
}

TEST(KwinWithPermissions, ObeysTheDesktopFileThatIsInstalled) {
  Desktop desktop([](const RuntimeDir& dir) {
    const std::string folder = dir.path() + "/data/applications";
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/compositor-agent.desktop") << desktop_file();
    return CompositorProcess::kwin_gl(dir, 1, {"XDG_DATA_DIRS=" + dir.path() + "/data:/usr/share"});
  });
  ASSERT_NO_FATAL_FAILURE(desktop.start());
  ASSERT_TRUE(desktop.loop.run_until([&] { return desktop.support().supported; })) << desktop.support().reason;
  const TakenScreenshot one = take_screenshot(desktop.loop);
  EXPECT_EQ(one.finished.status, Status::kDone) << as_text(one.finished);
  EXPECT_EQ(one.image.width, 1280U);
}

TEST(QimageFormats, AreReadWhenTheyHave32Bits) {
  EXPECT_EQ(agent::kde::pixel_layout(5).value(), (agent::PixelLayout{16, 8, 0, 8}));
  EXPECT_EQ(agent::kde::pixel_layout(18).value(), (agent::PixelLayout{0, 8, 16, 8}));
  EXPECT_EQ(agent::kde::pixel_layout(22).value(), (agent::PixelLayout{20, 10, 0, 10}));
  EXPECT_FALSE(agent::kde::pixel_layout(13)) << "RGB888";
}

}  // namespace
}  // namespace compositord
