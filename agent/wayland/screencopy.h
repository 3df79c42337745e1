#pragma once
// wlr-screencopy: one output's picture, copied by the compositor into our buffer.
// Source: wlr-screencopy-unstable-v1.xml, versions 1 to 3.
//
//   capture_output -> buffer (and buffer_done, since 3) -> copy -> flags, ready | failed at any time

#include <cstdint>
#include <memory>

#include "agent/wayland/output_shot.h"
#include "agent/wayland/shot_buffers.h"

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

  ShotBuffers& buffers() noexcept { return buffers_; }

 private:
  zwlr_screencopy_manager_v1* manager_ = nullptr;
  std::uint32_t version_;
  ShotBuffers buffers_;
};

}  // namespace compositord::agent
