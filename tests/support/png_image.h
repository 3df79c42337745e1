#pragma once
// A PNG as a test looks at it: decoded by libpng's simplified interface, which our encoder doesn't use.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace compositord::test {

struct PngImage {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::vector<std::uint32_t> pixels;  // 0x00RRGGBB, row by row
  std::string error;                  // not empty: it is no PNG

  // 0xffffffff outside, which no pixel is.
  std::uint32_t at(std::uint32_t x, std::uint32_t y) const;
};

PngImage decode_png(std::string_view bytes);
PngImage read_png(const std::string& path);

}  // namespace compositord::test
