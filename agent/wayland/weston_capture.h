#pragma once
// weston's own way to take a picture of an output since weston 12, weston-output-capture: the compositor says in which format and size
// it wants the buffer, and what becomes of each attempt. Its XML is in none of Debian 12's packages, so the few messages are
// written down here, as weston_screenshooter's are.
// Source: weston's protocol/weston-output-capture.xml: version 1 (weston 12 to 14), and 2 (its branch after 14).
//
//   create(output, framebuffer) -> format …, size -> capture(buffer) -> complete | failed(why) | retry: format …, size have changed
//
// Whoever it does not trust gets failed("unauthorized"), and keeps the connection; weston trusts all when it was started with --debug.
// Source: libweston/output-capture.c, frontend/main.c (screenshot_allow_all). Both observed with 14.0.2 of bookworm-backports.

#include <cstdint>
#include <memory>

#include "agent/wayland/output_shot.h"
#include "agent/wayland/shot_buffers.h"

struct wl_display;
struct wl_proxy;
struct wl_registry;
struct wl_shm;

namespace compositord::agent {

class WestonCapture final : public OutputShooter {
 public:
  static constexpr const char* kInterface = "weston_capture_v1";

  // `display` and `shm` must outlive it.
  WestonCapture(wl_display* display, wl_registry* registry, std::uint32_t global_name, wl_shm* shm);
  WestonCapture(const WestonCapture&) = delete;
  WestonCapture& operator=(const WestonCapture&) = delete;
  ~WestonCapture() override;

  // Its outcome is kUnsupported when we are not trusted.
  std::unique_ptr<OutputShot> shoot(const PlacedOutput& output) override;
  bool takes_several() const noexcept override { return true; }

 private:
  wl_display* display_;
  wl_proxy* factory_ = nullptr;
  ShotBuffers buffers_;
};

}  // namespace compositord::agent
