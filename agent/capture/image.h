#pragma once
// An upright image, and what is done with it on its way from pixels as they were read to a PNG.

#include <cstdint>
#include <stop_token>
#include <vector>

#include "agent/capture/shot.h"

namespace compositord::agent {

// Row by row from the top left. A pixel is 0x00RRGGBB (XRGB8888 of wl_shm, with X = 0).
struct Image {
  std::uint32_t width_px = 0;
  std::uint32_t height_px = 0;
  std::vector<std::uint32_t> pixels;

  // All black.
  static Image make(std::uint32_t width_px, std::uint32_t height_px);
  const std::uint32_t* row(std::uint32_t y) const noexcept { return pixels.data() + std::size_t{y} * width_px; }
  std::uint32_t* row(std::uint32_t y) noexcept { return pixels.data() + std::size_t{y} * width_px; }
};

struct Size {
  std::uint32_t width_px = 0;
  std::uint32_t height_px = 0;
  friend bool operator==(const Size&, const Size&) = default;
};
struct Rect {
  std::uint32_t x = 0;
  std::uint32_t y = 0;
  std::uint32_t width_px = 0;
  std::uint32_t height_px = 0;
  friend bool operator==(const Rect&, const Rect&) = default;
};

// The size of a picture when it stands upright: quarter turns swap the sides.
Size upright_size(const Picture& picture) noexcept;
// Takes transform, order of rows and layout of pixels off. Ends early, with an image that is of no use, when asked to stop.
Image upright(const Picture& picture, const std::stop_token& stop);
// Draws all of `from` into a rectangle of `to`, larger or smaller: each pixel becomes the mean of the area that it covers. What
// lies outside of `to` is cut off.
void draw(const Image& from, Image& to, const Rect& rect, const std::stop_token& stop);

}  // namespace compositord::agent
