// Our PNGs, read by libpng's other interface.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "agent/capture/png.h"
#include "tests/support/png_image.h"

namespace compositord::agent {
namespace {

using ::testing::HasSubstr;

Image noise(std::uint32_t width_px, std::uint32_t height_px) {
  Image image = Image::make(width_px, height_px);
  std::uint32_t state = 7;
  for (std::uint32_t& pixel : image.pixels) {
    state = state * 1'664'525U + 1'013'904'223U;
    pixel = state >> 8U;
  }
  return image;
}

TEST(CapturePng, HasEveryPixelOfTheImage) {
  const Image image = noise(37, 11);
  const auto png = encode_png(image, 1U << 20U, {});
  ASSERT_TRUE(png) << png.error().text;
  const test::PngImage read = test::decode_png(*png);
  ASSERT_EQ(read.error, "");
  EXPECT_EQ(read.width, 37U);
  EXPECT_EQ(read.height, 11U);
  EXPECT_EQ(read.pixels, image.pixels);
}

TEST(CapturePng, EndsWhenItBecomesTooLarge) {
  const auto png = encode_png(noise(200, 200), 1U << 16U, {});
  ASSERT_FALSE(png);
  EXPECT_EQ(png.error().status, Status::kTooLarge);
  EXPECT_THAT(png.error().text, HasSubstr("max_width"));
}

TEST(CapturePng, EndsWhenAskedTo) {
  const auto stop = std::make_unique<std::stop_source>();
  stop->request_stop();
  EXPECT_EQ(encode_png(noise(2, 2), 1U << 16U, stop->get_token()).error().status, Status::kGone);
}

TEST(CapturePng, AnImageThatLibpngRefusesIsAnErrorWithItsWords) {
  const auto png = encode_png(Image{}, 1U << 16U, {});
  ASSERT_FALSE(png);
  EXPECT_EQ(png.error().status, Status::kFailed);
  EXPECT_THAT(png.error().text, HasSubstr("IHDR"));
}

}  // namespace
}  // namespace compositord::agent
