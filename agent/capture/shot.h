#pragma once
// A screen as it was read from a compositor or an X server, before anything is done to it: one picture for each output, or one for all.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/capture/pixel_memory.h"
#include "common/msg/manifest.h"

namespace compositord::agent {

// No picture of a screen may have more pixels, read or drawn: 256 MiB as we hold them. Four outputs in 8K are too many, four in
// 4K are not.
inline constexpr std::uint64_t kShotPixelsMax = 64'000'000;

// Where the colours are in a little-endian 32-bit word, each with `bits` bits: 8, or 10 of which the upper 8 are used.
struct PixelLayout {
  std::uint8_t red_shift = 16;
  std::uint8_t green_shift = 8;
  std::uint8_t blue_shift = 0;
  std::uint8_t bits = 8;
  friend bool operator==(const PixelLayout&, const PixelLayout&) = default;
};

// Rows of words, as they came.
struct Pixels {
  PixelMemory memory;  // at least height_px * stride_bytes
  std::uint32_t width_px = 0;
  std::uint32_t height_px = 0;
  std::uint32_t stride_bytes = 0;  // at least 4 * width_px
  PixelLayout layout;
  bool bottom_up = false;  // the first row in memory is the lowest
};

// A rectangle of the compositor's logical space, in which outputs have their places.
struct LogicalRect {
  std::int32_t x = 0;
  std::int32_t y = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};

struct Picture {
  Pixels pixels;
  // What was done to the upright image to make these pixels, as wl_output.transform has it.
  msg::Transform transform = msg::Transform::k0;
  LogicalRect place;  // empty when it is the only picture
};

struct Shot {
  std::vector<Picture> pictures;
  std::vector<std::string> outputs;  // that are in it
};

}  // namespace compositord::agent
