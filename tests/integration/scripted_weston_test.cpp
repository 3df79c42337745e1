// Screenshots of weston 12 and newer, which Debian 12 has not: against a process that keeps to its interface, weston_capture_v1, and offers
// the one of before, too (tests/support/weston_capture_server.h). What it does is set by a word in a file.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "agent/driver.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/taken_screenshot.h"

namespace compositord {
namespace {

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
using test::TakenScreenshot;

constexpr std::uint32_t kLeft = 0xd0'2020, kRight = 0x20'20d0;

class ScriptedWeston : public ::testing::Test {
 protected:
  ScriptedWeston() : weston_(make()), loop_(agent::DisplaySettings{dir_.path(), {}, {}}) {}

  CompositorProcess make() {
    const std::string copy = dir_.path() + "/weston";
    std::filesystem::copy_file(SCRIPTED_COMPOSITOR, copy);
    return {dir_, {copy, "wayland-1"}, {}};
  }
  void SetUp() override {
    weston_.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text() << weston_.printed();
  }
  void behave(const std::string& word) { std::ofstream(dir_.path() + "/behaviour") << word; }
  msg::CommandSupport support() const { return loop_.support_of("screenshot"); }

  RuntimeDir dir_;
  CompositorProcess weston_;
  DriverLoop loop_;
};

TEST_F(ScriptedWeston, SaysInItsManifestThatItGivesScreenshots) {
  EXPECT_EQ(loop_.last<Described>()->manifest.name, "weston");
  EXPECT_TRUE(support().supported);
  EXPECT_EQ(support().reason, "");
}

TEST_F(ScriptedWeston, GivesAScreenshotOfAnOutputAndOfAll) {
  const TakenScreenshot one = take_screenshot(loop_, on_output("HDMI-A-1"));
  ASSERT_EQ(one.finished.status, Status::kDone) << as_text(one.finished);
  EXPECT_EQ(one.image.width, 1920U);
  EXPECT_EQ(one.image.height, 1080U);
  EXPECT_EQ(one.image.at(0, 0), kRight);
  const TakenScreenshot all = take_screenshot(loop_);
  ASSERT_EQ(all.finished.status, Status::kDone) << as_text(all.finished);
  EXPECT_EQ(all.image.width, 3840U);
  EXPECT_EQ(all.image.at(1919, 1079), kLeft);
  EXPECT_EQ(all.image.at(1920, 0), kRight);
}

TEST_F(ScriptedWeston, MayWantAnotherSizeThanItSaid) {
  behave("resizes");
  const TakenScreenshot one = take_screenshot(loop_, on_output("DP-1"));
  ASSERT_EQ(one.finished.status, Status::kDone) << as_text(one.finished);
  EXPECT_EQ(one.image.width, 3840U);
  EXPECT_EQ(one.image.at(3839, 1079), kLeft);
}

TEST_F(ScriptedWeston, ThatDeniesIsNotAskedAgainAndWatchedOn) {
  behave("denies");
  const std::size_t described = loop_.count<Described>();
  const TakenScreenshot refused = take_screenshot(loop_);
  EXPECT_EQ(refused.finished.status, Status::kUnsupported) << as_text(refused.finished);
  EXPECT_EQ(refused.finished.error, "weston permits screenshots only when it was started with --debug");
  EXPECT_EQ(refused.png, "");
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Described>() > described; }));
  EXPECT_FALSE(support().supported);
  EXPECT_EQ(support().reason, refused.finished.error);
  EXPECT_TRUE(loop_.probe(seconds(5)));
  EXPECT_EQ(loop_.count<Gone>(), 0U);

  behave("");
  const std::size_t before = loop_.services;
  EXPECT_EQ(take_screenshot(loop_).finished.status, Status::kUnsupported);
  EXPECT_EQ(loop_.services, before) << "it is answered without asking weston again";
}

TEST_F(ScriptedWeston, ThatFailsOnceMayBeAskedAgain) {
  behave("fails");
  const TakenScreenshot failed = take_screenshot(loop_);
  EXPECT_EQ(failed.finished.status, Status::kFailed) << as_text(failed.finished);
  behave("");
  EXPECT_EQ(take_screenshot(loop_).finished.status, Status::kDone);
  EXPECT_TRUE(support().supported);
}

TEST_F(ScriptedWeston, ThatNeverAnswersIsLeftAtTheDeadline) {
  behave("mute");
  const TakenScreenshot late = take_screenshot(loop_, Value::map(), milliseconds(300));
  EXPECT_EQ(late.finished.status, Status::kDeadline) << as_text(late.finished);
  EXPECT_TRUE(loop_.probe(seconds(5)));
  behave("");
  EXPECT_EQ(take_screenshot(loop_).finished.status, Status::kDone);
}

}  // namespace
}  // namespace compositord
