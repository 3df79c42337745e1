#include "tests/support/test_shots.h"

#include <cstring>
#include <utility>

namespace compositord::test {

agent::Pixels pixels_of(std::uint32_t width_px, const std::vector<std::uint32_t>& words) {
  const auto height_px = static_cast<std::uint32_t>(words.size() / width_px);
  const std::uint32_t stride = (width_px + 3) * 4;
  agent::PixelMemory memory = agent::PixelMemory::create(std::size_t{stride} * height_px).value();
  std::memset(memory.data(), 0xee, memory.size());
  for (std::uint32_t y = 0; y < height_px; ++y) {
    std::memcpy(memory.data() + std::size_t{y} * stride, words.data() + std::size_t{y} * width_px,
                std::size_t{width_px} * 4);
  }
  return agent::Pixels{std::move(memory), width_px, height_px, stride, {}, false};
}

agent::Picture plain_picture(std::uint32_t width_px, std::uint32_t height_px, std::uint32_t colour,
                             agent::LogicalRect place) {
  const std::vector<std::uint32_t> words(std::size_t{width_px} * height_px, colour);
  return agent::Picture{pixels_of(width_px, words), msg::Transform::k0, place};
}

}  // namespace compositord::test
