#include "agent/wayland/shot_buffers.h"

#include <fmt/format.h>

namespace compositord::agent {

Result<ShmBuffer> ShotBuffers::make(std::uint32_t width_px, std::uint32_t height_px, std::uint32_t stride_bytes,
                                    std::uint32_t format) {
  const std::uint64_t pixels = std::uint64_t{stride_bytes} / 4 * height_px;
  if (pixels > pixels_left_) {
    return fail(Status::kTooLarge, fmt::format("it has {}x{} px, and {} Mpx are allowed for all outputs together",
                                               width_px, height_px, kShotPixelsMax / 1'000'000));
  }
  auto buffer = ShmBuffer::create(shm_, width_px, height_px, stride_bytes, format);
  if (buffer) pixels_left_ -= pixels;
  return buffer;
}

}  // namespace compositord::agent
