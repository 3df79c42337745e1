// Pixels as compositors give them, turned into upright images.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "agent/capture/image.h"
#include "tests/support/test_shots.h"

namespace compositord::agent {
namespace {

using ::testing::ElementsAre;
using Words = std::vector<std::uint32_t>;

const std::stop_token kNoStop;

// Upright it is 1 2 3
//               4 5 6
Picture turned(msg::Transform transform, std::uint32_t width_px, const Words& words) {
  return Picture{test::pixels_of(width_px, words), transform, {}};
}

struct Turn {
  msg::Transform transform;
  std::uint32_t width_px;
  Words words;
};

class EveryTransform : public ::testing::TestWithParam<Turn> {};

// wayland.xml: "counter-clockwise"; "flipped" is a mirror left to right, before the turn. Written down with paper and pencil.
INSTANTIATE_TEST_SUITE_P(CaptureImage, EveryTransform,
                         ::testing::Values(Turn{msg::Transform::k0, 3, {1, 2, 3, 4, 5, 6}},
                                           Turn{msg::Transform::k90, 2, {3, 6, 2, 5, 1, 4}},
                                           Turn{msg::Transform::k180, 3, {6, 5, 4, 3, 2, 1}},
                                           Turn{msg::Transform::k270, 2, {4, 1, 5, 2, 6, 3}},
                                           Turn{msg::Transform::kFlipped, 3, {3, 2, 1, 6, 5, 4}},
                                           Turn{msg::Transform::kFlipped90, 2, {1, 4, 2, 5, 3, 6}},
                                           Turn{msg::Transform::kFlipped180, 3, {4, 5, 6, 1, 2, 3}},
                                           Turn{msg::Transform::kFlipped270, 2, {6, 3, 5, 2, 4, 1}}));

TEST_P(EveryTransform, IsTakenOff) {
  const Picture picture = turned(GetParam().transform, GetParam().width_px, GetParam().words);
  EXPECT_EQ(upright_size(picture), (Size{3, 2}));
  EXPECT_THAT(upright(picture, kNoStop).pixels, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(CaptureImage, RowsThatComeBottomUpAreTurnedBeforeTheTransform) {
  Picture picture = turned(msg::Transform::k90, 2, {1, 4, 2, 5, 3, 6});
  picture.pixels.bottom_up = true;
  EXPECT_THAT(upright(picture, kNoStop).pixels, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(CaptureImage, ColoursAreTakenFromWhereTheLayoutHasThem) {
  Picture picture = turned(msg::Transform::k0, 1, {0xff33'2211});
  picture.pixels.layout = PixelLayout{0, 8, 16, 8};  // XBGR8888
  EXPECT_THAT(upright(picture, kNoStop).pixels, ElementsAre(0x0011'2233U));
  Picture deep = turned(msg::Transform::k0, 1, {0x3ff0'0000 | 0x200U << 10U | 0x003U});
  deep.pixels.layout = PixelLayout{20, 10, 0, 10};  // XRGB2101010
  EXPECT_THAT(upright(deep, kNoStop).pixels, ElementsAre(0x00ff'8000U));
}

TEST(CaptureImage, AThumbnailsPixelIsTheMeanOfWhatItCovers) {
  const Picture picture = turned(msg::Transform::k0, 4,
                                 {0x000000, 0x100000, 0x000020, 0x000020,  //
                                  0x200000, 0x300000, 0x000040, 0x000040});
  Image image = Image::make(2, 1);
  draw(upright(picture, kNoStop), image, Rect{0, 0, 2, 1}, kNoStop);
  EXPECT_THAT(image.pixels, ElementsAre(0x180000U, 0x000030U));
}

TEST(CaptureImage, AThumbnailsPixelTakesItsShareOfPixelsThatItCutsThrough) {
  // Three onto two: each takes one and a half, so 2/3 of its own and 1/3 of the middle one.
  const Picture picture = turned(msg::Transform::k0, 3, {0x30, 0x60, 0x90});
  Image image = Image::make(2, 1);
  draw(upright(picture, kNoStop), image, Rect{0, 0, 2, 1}, kNoStop);
  EXPECT_THAT(image.pixels, ElementsAre(0x40U, 0x80U));
}

TEST(CaptureImage, TwiceAsLargeEachPixelIsFour) {
  const Picture picture = turned(msg::Transform::k0, 2, {1, 2});
  Image image = Image::make(4, 2);
  draw(upright(picture, kNoStop), image, Rect{0, 0, 4, 2}, kNoStop);
  EXPECT_THAT(image.pixels, ElementsAre(1, 1, 2, 2, 1, 1, 2, 2));
}

TEST(CaptureImage, WhatLiesOutsideIsCutOff) {
  const Picture picture = turned(msg::Transform::k0, 3, {1, 2, 3, 4, 5, 6});
  Image image = Image::make(3, 2);
  draw(upright(picture, kNoStop), image, Rect{1, 1, 3, 2}, kNoStop);
  draw(upright(picture, kNoStop), image, Rect{3, 0, 3, 2}, kNoStop);
  EXPECT_THAT(image.pixels, ElementsAre(0, 0, 0, 0, 1, 2));
}

TEST(PixelMemoryTest, CannotBeMadeSmallerByWhoeverHasItsDescriptor) {
  PixelMemory memory = PixelMemory::create(8192).value();
  EXPECT_EQ(::ftruncate(memory.fd(), 4096), -1);
  EXPECT_EQ(errno, EPERM);
  memory.data()[8191] = 1;  // still there
}

}  // namespace
}  // namespace compositord::agent
