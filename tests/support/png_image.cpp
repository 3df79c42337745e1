#include "tests/support/png_image.h"

#include <png.h>

#include <cstddef>
#include <fstream>
#include <iterator>

namespace compositord::test {

std::uint32_t PngImage::at(std::uint32_t x, std::uint32_t y) const {
  return x < width && y < height ? pixels[std::size_t{y} * width + x] : 0xffff'ffffU;
}

PngImage decode_png(std::string_view bytes) {
  PngImage image;
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  std::vector<unsigned char> rgb;
  if (png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()) != 0) {
    png.format = PNG_FORMAT_RGB;
    rgb.resize(PNG_IMAGE_SIZE(png));
    if (png_image_finish_read(&png, nullptr, rgb.data(), 0, nullptr) != 0) {
      image.width = png.width;
      image.height = png.height;
    }
  }
  image.error = image.width == 0 ? std::string("no PNG: ") + png.message : "";
  for (std::size_t i = 0; i + 2 < rgb.size() && image.error.empty(); i += 3) {
    image.pixels.push_back(std::uint32_t{rgb[i]} << 16U | std::uint32_t{rgb[i + 1]} << 8U | std::uint32_t{rgb[i + 2]});
  }
  png_image_free(&png);
  return image;
}

PngImage read_png(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return decode_png(bytes);
}

}  // namespace compositord::test
