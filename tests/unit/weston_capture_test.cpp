// A shot by weston_capture_v1, against a compositor that keeps to weston's side of it in every way in which it may end. Time is a
// number.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/capture/image.h"
#include "agent/wayland/connected_display.h"
#include "agent/wayland/wayland_capture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_compositor.h"
#include "tests/support/weston_capture_server.h"

namespace compositord::agent {
namespace {

using test::TinyAnswer;
using test::TinyCompositor;
using test::WestonCaptureServer;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WestonCaptureTest : public ::testing::Test {
 protected:
  ~WestonCaptureTest() override { compositor_.reset(); }  // before what its globals call

  void start(std::uint32_t version = 2, std::uint32_t screencopy_version = 0) {
    compositor_.emplace(path_, std::vector<test::TinyOutput>{{"DP-1", 4, 2, 0x11'2233}, {"DP-2", 2, 2, 0x44'5566}},
                        TinyAnswer::kPicture, screencopy_version);
    const auto look = [](wl_resource* output) {
      const test::TinyOutput& facts = TinyCompositor::output_of(output);
      return test::CapturedOutput{facts.width_px, facts.height_px, facts.colour};
    };
    server_.emplace(compositor_->display(), version, look, [this] { return behaviour_; });
  }
  // Both sides take turns until there is an outcome; none when neither has anything to do any more.
  std::optional<Result<Shot>> shoot(const ScreenshotRequest& request = {}) {
    if (!compositor_) start();
    CaptureTarget target{path_, {}, name_};
    const auto socket = connect_unix(path_);
    target.peer = identify_peer(socket->get()).value();
    capture_ = begin_wayland_capture(target, request).value();
    for (int i = 0; i < 50; ++i) {
      compositor_->turn();
      if (auto outcome = capture_->service(now_)) return outcome;
      if (capture_->next_deadline() != kNever) now_ = capture_->next_deadline();
    }
    return std::nullopt;
  }
  Error error_of(const std::string& behaviour) {
    behaviour_ = behaviour;
    auto outcome = shoot();
    if (!outcome) return Error{Status::kTimeout, "no outcome"};
    return *outcome ? Error{Status::kDone, ""} : outcome->error();
  }

  test::TempDir dir_;
  std::string path_ = dir_.path().string() + "/wayland-7";
  std::string name_ = "weston";
  std::string behaviour_;
  std::optional<TinyCompositor> compositor_;
  std::optional<WestonCaptureServer> server_;
  std::unique_ptr<Capture> capture_;
  Instant now_;
};

TEST_F(WestonCaptureTest, HasAPictureOfEachOutputInBothVersions) {
  for (const std::uint32_t version : {1U, 2U}) {
    SCOPED_TRACE(version);
    start(version);
    const auto outcome = shoot();
    capture_.reset();
    compositor_.reset();
    std::filesystem::remove(path_);
    ASSERT_TRUE(outcome);
    ASSERT_TRUE(*outcome) << outcome->error().text;
    const Shot& shot = **outcome;
    EXPECT_THAT(shot.outputs, ElementsAre("DP-1", "DP-2"));
    ASSERT_EQ(shot.pictures.size(), 2U);
    EXPECT_EQ(shot.pictures[0].pixels.width_px, 4U);
    EXPECT_THAT(upright(shot.pictures[0], {}).pixels, Each(0x11'2233U));
    EXPECT_THAT(upright(shot.pictures[1], {}).pixels, ElementsAre(0x44'5566, 0x44'5566, 0x44'5566, 0x44'5566));
  }
}

TEST_F(WestonCaptureTest, TakesOneOutputWhenOneIsWanted) {
  const auto outcome = shoot(ScreenshotRequest{"DP-2", {}, {}});
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_THAT((*outcome)->outputs, ElementsAre("DP-2"));
  EXPECT_EQ(server_->captures(), 1);
}

TEST_F(WestonCaptureTest, TakesTheFirstFormatThatItReads) {
  behaviour_ = "picky";  // RG16, XB24
  const auto outcome = shoot();
  ASSERT_TRUE(outcome);
  ASSERT_TRUE(*outcome) << outcome->error().text;
  EXPECT_THAT(upright((*outcome)->pictures[0], {}).pixels, Each(0x11'2233U));
  const Error none = error_of("strange");
  EXPECT_EQ(none.status, Status::kFailed);
  EXPECT_THAT(none.text, HasSubstr("weston, DP-1: its pixels are in the format RG16"));
}

TEST_F(WestonCaptureTest, TriesAgainWithTheSizeOrFormatThatItIsToldThen) {
  behaviour_ = "resizes";
  const auto larger = shoot();
  ASSERT_TRUE(larger);
  ASSERT_TRUE(*larger) << larger->error().text;
  EXPECT_EQ((*larger)->pictures[0].pixels.width_px, 8U);
  EXPECT_THAT(upright((*larger)->pictures[0], {}).pixels, Each(0x11'2233U));
  EXPECT_EQ(server_->captures(), 4) << "two for each";
  behaviour_ = "reformats";
  const auto other = shoot();
  ASSERT_TRUE(other);
  ASSERT_TRUE(*other) << other->error().text;
  EXPECT_THAT(upright((*other)->pictures[0], {}).pixels, Each(0x11'2233U));
}

TEST_F(WestonCaptureTest, DoesNotTryForEver) {
  const Error error = error_of("resizes_on");
  EXPECT_EQ(error.status, Status::kFailed);
  EXPECT_EQ(error.text, "weston, DP-1: its size or format changes faster than it can be copied");
  EXPECT_EQ(server_->captures(), 10) << "five for each output, which are asked together";
}

TEST_F(WestonCaptureTest, ACopyThatFailsIsToldWithItsReason) {
  const Error error = error_of("fails");
  EXPECT_EQ(error.status, Status::kFailed);
  EXPECT_EQ(error.text, "weston, DP-1: the copy failed: no GPU\\x0aat all");
  EXPECT_EQ(error_of("silent_fail").text, "weston, DP-1: the copy failed: without a reason");
}

TEST_F(WestonCaptureTest, ADenialIsToldAsWhatTheCompositorCanNotDo) {
  const Error error = error_of("denies");
  EXPECT_EQ(error.status, Status::kUnsupported);
  EXPECT_EQ(error.text, "weston permits screenshots only when it was started with --debug");
  name_ = "agl-compositor";
  EXPECT_EQ(error_of("denies").text, "agl-compositor does not permit this agent to take screenshots");
}

TEST_F(WestonCaptureTest, AnOutputThatIsNotDescribedIsNotWaitedFor) {
  const Error error = error_of("off");
  EXPECT_EQ(error.status, Status::kFailed);
  EXPECT_EQ(error.text, "weston, DP-1: the compositor has no picture of it; is it switched off?");
  EXPECT_EQ(server_->captures(), 0);
}

TEST_F(WestonCaptureTest, WhatIsTooLargeOrNonsenseIsNotGivenMemory) {
  EXPECT_THAT(error_of("nonsense").text, HasSubstr("a picture that can't be: -1x2 px"));
  const Error huge = error_of("huge");
  EXPECT_EQ(huge.status, Status::kTooLarge);
  EXPECT_THAT(huge.text, HasSubstr("16384x16384"));
  const Error together = error_of("huge_together");
  EXPECT_EQ(together.status, Status::kTooLarge);
  EXPECT_THAT(together.text, HasSubstr("DP-2"));
  EXPECT_THAT(together.text, HasSubstr("all outputs together"));
}

TEST_F(WestonCaptureTest, ARetryHasTheMemoryOfTheAttemptBefore) {
  behaviour_ = "huge_again";
  const auto outcome = shoot();
  EXPECT_FALSE(outcome) << (*outcome ? "a shot" : outcome->error().text);
  EXPECT_EQ(server_->captures(), 4);
}

TEST_F(WestonCaptureTest, AnAnswerThatNobodyAskedForIsAnError) {
  EXPECT_THAT(error_of("hasty").text, HasSubstr("an answer to what nobody asked for"));
}

TEST_F(WestonCaptureTest, SilenceIsNoOutcomeUnlessTheOutputVanishes) {
  behaviour_ = "mute";
  EXPECT_FALSE(shoot());
  compositor_->unplug();
  std::optional<Result<Shot>> outcome;
  for (int i = 0; i < 10 && !outcome; ++i) {
    compositor_->turn();
    outcome = capture_->service(now_);
  }
  ASSERT_TRUE(outcome && !*outcome);
  EXPECT_THAT(outcome->error().text, HasSubstr("DP-1 vanished before its picture was taken"));
}

TEST_F(WestonCaptureTest, IsTakenBeforeTheInterfaceThatPunishes) {
  start();
  test::offer_punishing_screenshooter(compositor_->display());
  const auto outcome = shoot();
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(*outcome) << outcome->error().text;
  behaviour_ = "denies";
  const auto denied = shoot();
  ASSERT_TRUE(denied && !*denied);
  EXPECT_EQ(denied->error().status, Status::kUnsupported) << "and is not gone round by the older one";
}

TEST_F(WestonCaptureTest, IsTakenAfterWlrScreencopy) {
  start(2, 3);
  const auto outcome = shoot();
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_EQ(server_->bound(), 0);
}

TEST(CanCapture, KnowsThreeProtocols) {
  for (const char* name : {"zwlr_screencopy_manager_v1", "weston_capture_v1", "weston_screenshooter"}) {
    EXPECT_TRUE(can_capture({msg::Protocol{name, 1}})) << name;
  }
  EXPECT_FALSE(can_capture({msg::Protocol{"weston_capture_v9", 1}, msg::Protocol{"wl_shm", 1}}));
}

}  // namespace
}  // namespace compositord::agent
