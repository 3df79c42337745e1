#pragma once
// The buffers of one capture's shots, which together have at most kShotPixelsMax, whatever the compositor says.

#include <cstdint>

#include "agent/capture/shot.h"
#include "agent/wayland/shm_buffer.h"
#include "common/base/result.h"

struct wl_shm;

namespace compositord::agent {

class ShotBuffers {
 public:
  // `shm` must outlive it and its buffers.
  explicit ShotBuffers(wl_shm* shm) : shm_(shm) {}

  // Errors: as ShmBuffer's, and kTooLarge when the others leave too little.
  Result<ShmBuffer> make(std::uint32_t width_px, std::uint32_t height_px, std::uint32_t stride_bytes,
                         std::uint32_t format);
  // That one will not be used: its pixels may be had again.
  void give_back(const ShmBuffer& buffer) { pixels_left_ += buffer.size_px(); }

 private:
  wl_shm* shm_;
  std::uint64_t pixels_left_ = kShotPixelsMax;
};

}  // namespace compositord::agent
