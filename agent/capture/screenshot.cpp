#include "agent/capture/screenshot.h"

#include <sodium/crypto_hash_sha256.h>

#include <array>
#include <utility>

#include <fmt/format.h>

#include "agent/capture/layout.h"
#include "agent/capture/png.h"

namespace compositord::agent {

namespace {

std::string sha256_of(const std::string& bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

Image compose(std::vector<Picture> pictures, const ShotLayout& layout, const std::stop_token& stop) {
  if (pictures.size() == 1 && upright_size(pictures.front()) == layout.size) return upright(pictures.front(), stop);
  Image image = Image::make(layout.size.width_px, layout.size.height_px);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Picture picture = std::move(pictures[i]);  // its memory goes with this turn
    draw(upright(picture, stop), image, layout.rects[i], stop);
  }
  return image;
}

}  // namespace

Result<Screenshot> make_screenshot(Shot shot, const ScreenshotRequest& request, const std::stop_token& stop) {
  const auto layout = lay_out(shot, request);
  if (!layout) return tl::unexpected(layout.error());
  const Image image = compose(std::move(shot.pictures), *layout, stop);
  auto png = encode_png(image, kPngBytesMax, stop);
  if (!png) return tl::unexpected(png.error());
  Screenshot screenshot{std::move(*png), layout->size, std::move(shot.outputs), {}};
  screenshot.sha256 = sha256_of(screenshot.png);
  return screenshot;
}

}  // namespace compositord::agent
