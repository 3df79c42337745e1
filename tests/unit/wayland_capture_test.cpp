// A shot over its own connection, against a compositor that does what real ones can't be brought to do: every way in which
// wlr-screencopy may end. Time is a number.

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

namespace compositord::agent {
namespace {

using std::chrono::seconds;
using test::TinyAnswer;
using test::TinyCompositor;
using test::TinyOutput;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WaylandCaptureTest : public ::testing::Test {
 protected:
  static std::vector<TinyOutput> two_outputs() { return {{"DP-1", 4, 2, 0x11'2233}, {"DP-2", 2, 2, 0x44'5566}}; }

  CaptureTarget target() const {
    CaptureTarget target{path_, {}, "tiny"};
    const auto socket = connect_unix(path_);
    if (socket) target.peer = identify_peer(socket->get()).value();
    return target;
  }
  // Both sides take turns until there is an outcome; none when neither has anything to do any more.
  std::optional<Result<Shot>> shoot(TinyAnswer answer, const ScreenshotRequest& request = {},
                                    std::uint32_t version = 3) {
    compositor_.emplace(path_, two_outputs(), answer, version);
    auto capture = begin_wayland_capture(target(), request);
    EXPECT_TRUE(capture) << capture.error().text;
    if (!capture) return std::nullopt;
    for (int i = 0; i < 50; ++i) {
      compositor_->turn();
      if (auto outcome = (*capture)->service(now_)) return outcome;
      if ((*capture)->next_deadline() != kNever) now_ = (*capture)->next_deadline();
    }
    return std::nullopt;
  }
  Error error_of(TinyAnswer answer) {
    auto outcome = shoot(answer);
    if (!outcome) return Error{Status::kTimeout, "no outcome"};
    return *outcome ? Error{Status::kDone, ""} : outcome->error();
  }

  test::TempDir dir_;
  std::string path_ = dir_.path().string() + "/wayland-7";
  std::optional<TinyCompositor> compositor_;
  Instant now_;
};

TEST_F(WaylandCaptureTest, HasAPictureOfEachOutput) {
  for (const std::uint32_t version : {3U, 1U}) {  // without buffer_done, too
    SCOPED_TRACE(version);
    const auto outcome = shoot(TinyAnswer::kPicture, {}, version);
    compositor_.reset();
    std::filesystem::remove(path_);
    ASSERT_TRUE(outcome);
    ASSERT_TRUE(*outcome) << outcome->error().text;
    const Shot& shot = **outcome;
    EXPECT_THAT(shot.outputs, ElementsAre("DP-1", "DP-2"));
    ASSERT_EQ(shot.pictures.size(), 2U);
    EXPECT_THAT(upright(shot.pictures[0], {}).pixels, ::testing::Each(0x11'2233U));
    EXPECT_THAT(upright(shot.pictures[1], {}).pixels, ElementsAre(0x44'5566, 0x44'5566, 0x44'5566, 0x44'5566));
  }
}

TEST_F(WaylandCaptureTest, TakesOneOutputWhenOneIsWanted) {
  const auto outcome = shoot(TinyAnswer::kPicture, ScreenshotRequest{"DP-2", {}, {}});
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_THAT((*outcome)->outputs, ElementsAre("DP-2"));
}

TEST_F(WaylandCaptureTest, TurnsAPictureOverThatIsUpsideDown) {
  const auto outcome = shoot(TinyAnswer::kBottomUpPicture, ScreenshotRequest{"DP-2", {}, {}});
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_THAT(upright((*outcome)->pictures[0], {}).pixels, ElementsAre(0x44'5566, 0x44'5566, 0xff'ffff, 0xff'ffff));
}

TEST_F(WaylandCaptureTest, ACopyThatFailsIsToldWithTheOutputsName) {
  const Error error = error_of(TinyAnswer::kFails);
  EXPECT_EQ(error.status, Status::kFailed);
  EXPECT_THAT(error.text, HasSubstr("tiny, DP-1: the copy failed"));
}

TEST_F(WaylandCaptureTest, AFormatThatWeDoNotReadIsNamed) {
  const Error error = error_of(TinyAnswer::kUnknownFormat);
  EXPECT_EQ(error.status, Status::kFailed);
  EXPECT_THAT(error.text, HasSubstr("NV12"));
}

TEST_F(WaylandCaptureTest, APictureThatIsOnlyOnTheGpuIsAnError) {
  EXPECT_THAT(error_of(TinyAnswer::kNoSharedMemory).text, HasSubstr("not offered in shared memory"));
}

TEST_F(WaylandCaptureTest, APictureThatIsTooLargeIsNotGivenMemory) {
  const Error error = error_of(TinyAnswer::kTooLarge);
  EXPECT_EQ(error.status, Status::kTooLarge);
  EXPECT_THAT(error.text, HasSubstr("16384x16384"));
}

TEST_F(WaylandCaptureTest, PicturesThatAreTooLargeTogetherAreNotGivenMemoryEither) {
  const Error error = error_of(TinyAnswer::kTooLargeTogether);
  EXPECT_EQ(error.status, Status::kTooLarge);
  EXPECT_THAT(error.text, HasSubstr("DP-2"));
  EXPECT_THAT(error.text, HasSubstr("all outputs together"));
}

TEST_F(WaylandCaptureTest, RowsThatAreTooShortAreAnError) {
  EXPECT_THAT(error_of(TinyAnswer::kNonsense).text, HasSubstr("can't be"));
}

TEST_F(WaylandCaptureTest, APictureThatIsReadyBeforeItWasAskedForIsAnError) {
  EXPECT_THAT(error_of(TinyAnswer::kReadyTooEarly).text, HasSubstr("nobody asked for"));
}

TEST_F(WaylandCaptureTest, AnOutputThatVanishesMeanwhileIsToldByItsName) {
  const Error error = error_of(TinyAnswer::kOutputVanishes);
  EXPECT_EQ(error.status, Status::kFailed);
  EXPECT_THAT(error.text, HasSubstr("DP-1 vanished before its picture was taken"));
}

TEST_F(WaylandCaptureTest, SilenceIsNoOutcome) { EXPECT_FALSE(shoot(TinyAnswer::kNothing)); }

TEST_F(WaylandCaptureTest, AConnectionThatClosesIsAnErrorAfterAWhile) {
  const Instant begin = now_;
  const Error error = error_of(TinyAnswer::kClosesConnection);
  EXPECT_EQ(error.status, Status::kFailed);
  EXPECT_THAT(error.text, HasSubstr("gave no screenshot: it closed the connection"));
  EXPECT_GT(now_, begin) << "the driver gets time to notice that the compositor is gone";
}

TEST_F(WaylandCaptureTest, AnOutputThatIsNotThereIsNotFound) {
  const auto outcome = shoot(TinyAnswer::kPicture, ScreenshotRequest{"DP-9", {}, {}});
  ASSERT_TRUE(outcome && !*outcome);
  EXPECT_EQ(outcome->error().status, Status::kNotFound);
  EXPECT_THAT(outcome->error().text, HasSubstr("DP-1, DP-2"));
}

TEST_F(WaylandCaptureTest, ASocketThatBelongsToAnotherProcessIsLeftAlone) {
  compositor_.emplace(path_, two_outputs(), TinyAnswer::kPicture);
  CaptureTarget other = target();
  ++other.peer.start_time_ticks;
  const auto capture = begin_wayland_capture(other, {});
  ASSERT_FALSE(capture);
  EXPECT_EQ(capture.error().status, Status::kNotConnected);
  EXPECT_THAT(capture.error().text, HasSubstr("listens there by now"));
  EXPECT_EQ(begin_wayland_capture(CaptureTarget{path_ + "0", {}, "tiny"}, {}).error().status, Status::kNotConnected);
}

}  // namespace
}  // namespace compositord::agent
