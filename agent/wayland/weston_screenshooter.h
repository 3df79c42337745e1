#pragma once
// weston's own way to take a picture of an output, up to weston 11; since then see weston_capture.h. No Debian package has its XML, so its description is written
// down here: one request, take_shot(output, buffer), and one event, done(), without saying for which. Pixels are XRGB8888, in the size of
// the output's mode.
//
// weston takes it as a protocol error from clients that it does not trust, and ends their connection: it must have a connection of its
// own. Observed with 10.0.1: without --debug it trusts nobody but its own keyboard shortcut.

#include <cstdint>
#include <memory>

#include "agent/wayland/output_shot.h"

struct wl_proxy;
struct wl_registry;
struct wl_shm;

namespace compositord::agent {

class WestonShot;

class WestonScreenshooter final : public OutputShooter {
 public:
  static constexpr const char* kInterface = "weston_screenshooter";

  // `shm` must outlive it.
  WestonScreenshooter(wl_registry* registry, std::uint32_t global_name, wl_shm* shm);
  WestonScreenshooter(const WestonScreenshooter&) = delete;
  WestonScreenshooter& operator=(const WestonScreenshooter&) = delete;
  ~WestonScreenshooter() override;

  std::unique_ptr<OutputShot> shoot(const PlacedOutput& output) override;
  bool takes_several() const noexcept override { return false; }  // `done` would not tell which

 private:
  friend class WestonShot;
  wl_proxy* proxy_ = nullptr;
  wl_shm* shm_;
  WestonShot* current_ = nullptr;
};

}  // namespace compositord::agent
