// Where outputs go in a picture of all of them, and how large it becomes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "agent/capture/layout.h"
#include "agent/capture/screenshot.h"
#include "tests/support/png_image.h"
#include "tests/support/test_shots.h"

namespace compositord::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class... Pictures>
Shot shot_of(Pictures... pictures) {
  Shot shot;
  (shot.pictures.push_back(std::move(pictures)), ...);
  return shot;
}

ScreenshotRequest thumbnail(std::optional<std::uint32_t> width, std::optional<std::uint32_t> height) {
  return ScreenshotRequest{std::nullopt, width, height};
}

TEST(CaptureLayout, OnePictureKeepsItsPixelsWhereverItIs) {
  const auto layout = lay_out(shot_of(test::plain_picture(60, 40, 1, {-500, 30, 30, 20})), {});
  ASSERT_TRUE(layout) << layout.error().text;
  EXPECT_EQ(layout->size, (Size{60, 40}));
  EXPECT_THAT(layout->rects, ElementsAre(Rect{0, 0, 60, 40}));
}

TEST(CaptureLayout, SeveralLieAsInTheLayoutFromItsCornerOn) {
  const auto layout = lay_out(
      shot_of(test::plain_picture(60, 40, 1, {-60, 10, 60, 40}), test::plain_picture(20, 30, 2, {5, 0, 20, 30})), {});
  ASSERT_TRUE(layout) << layout.error().text;
  EXPECT_EQ(layout->size, (Size{85, 50}));
  EXPECT_THAT(layout->rects, ElementsAre(Rect{0, 10, 60, 40}, Rect{65, 0, 20, 30}));
}

TEST(CaptureLayout, TheGreatestScaleIsForAll) {
  const auto layout = lay_out(
      shot_of(test::plain_picture(60, 40, 1, {0, 0, 30, 20}), test::plain_picture(30, 20, 2, {30, 0, 30, 20})), {});
  ASSERT_TRUE(layout) << layout.error().text;
  EXPECT_EQ(layout->size, (Size{120, 40}));
  EXPECT_THAT(layout->rects, ElementsAre(Rect{0, 0, 60, 40}, Rect{60, 0, 60, 40}));
}

TEST(CaptureLayout, ALogicalSizeThatWasRoundedBlursNothing) {
  // In scale 1.5: 1280x720 is 853.3x480, 1024x768 is 682.7x512; their widths seem to have different scales.
  const auto layout = lay_out(shot_of(test::plain_picture(1280, 720, 1, {0, 0, 853, 480}),
                                      test::plain_picture(1024, 768, 1, {853, 0, 683, 512})),
                              {});
  ASSERT_TRUE(layout) << layout.error().text;
  EXPECT_EQ(layout->rects[0], (Rect{0, 0, 1280, 720}));
  EXPECT_EQ(layout->rects[1], (Rect{1280, 0, 1024, 768}));
}

TEST(CaptureLayout, AThumbnailKeepsItsAspectAndIsNeverLarger) {
  const Shot shot = shot_of(test::plain_picture(60, 40, 1));
  EXPECT_EQ(lay_out(shot, thumbnail(30, {}))->size, (Size{30, 20}));
  EXPECT_EQ(lay_out(shot, thumbnail({}, 10))->size, (Size{15, 10}));
  EXPECT_EQ(lay_out(shot, thumbnail(30, 10))->size, (Size{15, 10}));
  EXPECT_EQ(lay_out(shot, thumbnail(6000, 4000))->size, (Size{60, 40}));
  EXPECT_EQ(lay_out(shot_of(test::plain_picture(100, 1, 1)), thumbnail(10, {}))->size, (Size{10, 1}));
}

TEST(CaptureLayout, AnEmptyScreenIsTooLargeWhenItsOutputsAreFarApart) {
  const auto far_apart = [] {
    return shot_of(test::plain_picture(10, 10, 1, {0, 0, 10, 10}),
                   test::plain_picture(10, 10, 1, {1'000'000, 1'000'000, 10, 10}));
  };
  const auto layout = lay_out(far_apart(), {});
  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().status, Status::kTooLarge);
  EXPECT_THAT(layout.error().text, HasSubstr("max_width"));
  EXPECT_EQ(lay_out(far_apart(), thumbnail(1000, {}))->size, (Size{1000, 1000}));
}

TEST(CaptureLayout, NothingToShowIsAnError) {
  EXPECT_EQ(lay_out(Shot{}, {}).error().status, Status::kFailed);
  EXPECT_EQ(lay_out(shot_of(test::plain_picture(1, 1, 1), test::plain_picture(1, 1, 1)), {}).error().status,
            Status::kFailed);
}

TEST(CaptureScreenshot, DrawsAllPicturesOnBlackAndTellsWhatItMade) {
  Shot shot = shot_of(test::plain_picture(4, 2, 0xff11'2233, {0, 0, 4, 2}),
                      test::plain_picture(2, 4, 0xff44'5566, {4, 1, 2, 4}));
  shot.outputs = {"A", "B"};
  const auto made = make_screenshot(std::move(shot), {}, {});
  ASSERT_TRUE(made) << made.error().text;
  const test::PngImage image = test::decode_png(made->png);
  ASSERT_EQ(image.error, "");
  EXPECT_EQ(made->size, (Size{6, 5}));
  EXPECT_EQ((Size{image.width, image.height}), (Size{6, 5}));
  EXPECT_EQ(image.at(0, 0), 0x11'2233U);
  EXPECT_EQ(image.at(3, 1), 0x11'2233U);
  EXPECT_EQ(image.at(4, 1), 0x44'5566U);
  EXPECT_EQ(image.at(5, 4), 0x44'5566U);
  EXPECT_EQ(image.at(4, 0), 0U);
  EXPECT_EQ(image.at(0, 2), 0U);
  EXPECT_THAT(made->outputs, ElementsAre("A", "B"));
  EXPECT_EQ(made->sha256.size(), 64U);
}

}  // namespace
}  // namespace compositord::agent
