#include "agent/wayland/screencopy.h"

#include <wayland-client.h>
#include <wlr-screencopy-unstable-v1-client-protocol.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace compositord::agent {

namespace {

constexpr std::uint32_t kVersionMax = 3;
constexpr std::uint32_t kBufferDoneSince = 3;

class ScreencopyShot final : public OutputShot {
 public:
  ScreencopyShot(Screencopy& owner, zwlr_screencopy_frame_v1* frame, std::uint32_t version)
      : owner_(owner), frame_(frame), version_(version) {
    if (frame_ == nullptr) {
      end(fail(Status::kFailed, "no memory to ask for its picture"));
    } else {
      zwlr_screencopy_frame_v1_add_listener(frame_, &kListener, this);
    }
  }
  ScreencopyShot(const ScreencopyShot&) = delete;
  ScreencopyShot& operator=(const ScreencopyShot&) = delete;
  ~ScreencopyShot() override {
    if (frame_ != nullptr) zwlr_screencopy_frame_v1_destroy(frame_);
  }

 private:
  static ScreencopyShot& self(void* data) { return *static_cast<ScreencopyShot*>(data); }

  static void on_buffer(void* data, zwlr_screencopy_frame_v1*, std::uint32_t format, std::uint32_t width_px,
                        std::uint32_t height_px, std::uint32_t stride_bytes) {
    ScreencopyShot& shot = self(data);
    if (shot.buffer_ || shot.outcome()) return;  // one is enough, whatever it says next
    auto buffer = shot.owner_.buffers().make(width_px, height_px, stride_bytes, format);
    if (!buffer) return shot.end(tl::unexpected(buffer.error()));
    shot.buffer_.emplace(std::move(*buffer));
    if (shot.version_ < kBufferDoneSince) shot.copy();
  }
  static void on_buffer_done(void* data, zwlr_screencopy_frame_v1*) {
    ScreencopyShot& shot = self(data);
    if (!shot.buffer_) return shot.end(fail(Status::kFailed, "its picture is not offered in shared memory"));
    shot.copy();
  }
  static void on_flags(void* data, zwlr_screencopy_frame_v1*, std::uint32_t flags) {
    self(data).bottom_up_ = (flags & ZWLR_SCREENCOPY_FRAME_V1_FLAGS_Y_INVERT) != 0;
  }
  static void on_ready(void* data, zwlr_screencopy_frame_v1*, std::uint32_t, std::uint32_t, std::uint32_t) {
    ScreencopyShot& shot = self(data);
    if (!shot.is_copied_ || shot.outcome()) return shot.end(fail(Status::kFailed, "a picture that nobody asked for"));
    Pixels pixels = shot.buffer_->take_pixels();
    pixels.bottom_up = shot.bottom_up_;
    shot.end(std::move(pixels));
  }
  static void on_failed(void* data, zwlr_screencopy_frame_v1*) {
    self(data).end(fail(Status::kFailed, "the copy failed; is its monitor asleep or switched off?"));
  }
  static void on_damage(void*, zwlr_screencopy_frame_v1*, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t) {}
  static void on_dmabuf(void*, zwlr_screencopy_frame_v1*, std::uint32_t, std::uint32_t, std::uint32_t) {}

  // "already_used" is a protocol error: never twice.
  void copy() {
    if (std::exchange(is_copied_, true)) return;
    zwlr_screencopy_frame_v1_copy(frame_, buffer_->proxy());
  }

  static constexpr zwlr_screencopy_frame_v1_listener kListener{on_buffer, on_flags,  on_ready,      on_failed,
                                                               on_damage, on_dmabuf, on_buffer_done};

  Screencopy& owner_;
  zwlr_screencopy_frame_v1* frame_;
  std::uint32_t version_;
  std::optional<ShmBuffer> buffer_;
  bool is_copied_ = false;  // asked to be
  bool bottom_up_ = false;
};

}  // namespace

Screencopy::Screencopy(wl_registry* registry, std::uint32_t global_name, std::uint32_t version, wl_shm* shm)
    : version_(std::min(version, kVersionMax)), buffers_(shm) {
  manager_ = static_cast<zwlr_screencopy_manager_v1*>(
      wl_registry_bind(registry, global_name, &zwlr_screencopy_manager_v1_interface, version_));
}

Screencopy::~Screencopy() {
  if (manager_ != nullptr) zwlr_screencopy_manager_v1_destroy(manager_);
}

std::unique_ptr<OutputShot> Screencopy::shoot(const PlacedOutput& output) {
  constexpr std::int32_t kWithoutCursor = 0;
  zwlr_screencopy_frame_v1* frame =
      manager_ == nullptr || output.proxy == nullptr
          ? nullptr
          : zwlr_screencopy_manager_v1_capture_output(manager_, kWithoutCursor, output.proxy);
  return std::make_unique<ScreencopyShot>(*this, frame, version_);
}

}  // namespace compositord::agent
