#pragma once
// wlr-screencopy: one output's picture, copied by the compositor into our buffer.
// Source: wlr-screencopy-unstable-v1.xml, versions 1 to 3.
//
//   capture_output -> buffer (and buffer_done, since 3) -> copy -> flags, ready | failed at any time

#include <cstdint>
#include <memory>
#include <optional>

#include "agent/capture/shot.h"
#include "agent/wayland/output_shot.h"
#include "agent/wayland/shm_buffer.h"
#include "common/base/result.h"

struct wl_registry;
struct wl_output;
struct wl_shm;
struct zwlr_screencopy_frame_v1;
struct zwlr_screencopy_manager_v1;

namespace compositord::agent {

class Screencopy final : public OutputShooter {
 public:
  static constexpr const char* kInterface = "zwlr_screencopy_manager_v1";

  // `shm` must outlive it.
  Screencopy(wl_registry* registry, std::uint32_t global_name, std::uint32_t version, wl_shm* shm);
  Screencopy(const Screencopy&) = delete;
  Screencopy& operator=(const Screencopy&) = delete;
  ~Screencopy() override;

  std::unique_ptr<OutputShot> shoot(const PlacedOutput& output) override;
  bool takes_several() const noexcept override { return true; }

  // A buffer of its shots, which together have at most kShotPixelsMax, whatever the compositor says. Errors: as ShmBuffer's.
  Result<ShmBuffer> make_buffer(std::uint32_t width_px, std::uint32_t height_px, std::uint32_t stride_bytes,
                                std::uint32_t format);

 private:
  zwlr_screencopy_manager_v1* manager_ = nullptr;
  std::uint32_t version_;
  wl_shm* shm_;
  std::uint64_t pixels_left_ = kShotPixelsMax;
};

}  // namespace compositord::agent
