#pragma once
// A wl_buffer over pixels that we own, and which of wl_shm's formats we can read.

#include <cstdint>
#include <optional>

#include "agent/capture/shot.h"
#include "common/base/result.h"

struct wl_buffer;
struct wl_shm;

namespace compositord::agent {

// What wl_shm.format calls a format: 32 bits for a pixel, 8 or 10 for a colour. None: another one.
std::optional<PixelLayout> layout_of_format(std::uint32_t shm_format);

class ShmBuffer {
 public:
  // Errors: kTooLarge over kShotPixelsMax, kFailed for a format or a stride that we can't read, or without memory.
  static Result<ShmBuffer> create(wl_shm* shm, std::uint32_t width_px, std::uint32_t height_px,
                                  std::uint32_t stride_bytes, std::uint32_t format);
  ShmBuffer(ShmBuffer&& other) noexcept;
  ShmBuffer& operator=(ShmBuffer&&) = delete;
  ShmBuffer(const ShmBuffer&) = delete;
  ShmBuffer& operator=(const ShmBuffer&) = delete;
  ~ShmBuffer();

  wl_buffer* proxy() const noexcept { return proxy_; }
  // What its rows have room for.
  std::uint64_t size_px() const noexcept { return std::uint64_t{pixels_.stride_bytes} / 4 * pixels_.height_px; }
  // Its pixels, when the compositor has written them; of no use afterwards.
  Pixels take_pixels() { return std::move(pixels_); }

 private:
  ShmBuffer(wl_buffer* proxy, Pixels pixels);

  wl_buffer* proxy_;
  Pixels pixels_;
};

}  // namespace compositord::agent
