#include "agent/wlr/card_surface.h"

#include <sys/mman.h>
#include <unistd.h>
#include <wayland-client.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "agent/wlr/layer_shell_protocol.h"

namespace compositord::agent::wlr {

namespace {

// The picture in memory that is shared with the compositor; nullptr when there is none to be had.
wl_buffer* make_buffer(wl_shm* shm, const CardImage& image) {
  const std::size_t bytes = image.pixels.size() * sizeof(std::uint32_t);
  const int fd = ::memfd_create("compositord-identify", MFD_CLOEXEC);
  if (fd < 0) return nullptr;
  wl_buffer* buffer = nullptr;
  // write() and not a mapping: a file that can't be made as large fails here, and not with SIGBUS.
  if (::write(fd, image.pixels.data(), bytes) == static_cast<ssize_t>(bytes)) {
    wl_shm_pool* pool = wl_shm_create_pool(shm, fd, static_cast<std::int32_t>(bytes));
    const int stride = image.width_px * static_cast<int>(sizeof(std::uint32_t));
    buffer = wl_shm_pool_create_buffer(pool, 0, image.width_px, image.height_px, stride, WL_SHM_FORMAT_ARGB8888);
    wl_shm_pool_destroy(pool);
  }
  ::close(fd);
  return buffer;
}

}  // namespace

// The C callbacks. `data` is the surface's owner, which destroys what calls them.
struct CardEvents {
  static void configure(void* data, zwlr_layer_surface_v1*, std::uint32_t serial, std::uint32_t, std::uint32_t) {
    static_cast<CardSurface*>(data)->on_configure(serial);
  }
  static void closed(void* data, zwlr_layer_surface_v1*) { static_cast<CardSurface*>(data)->is_closed_ = true; }
  static void drawn(void* data, wl_callback* callback, std::uint32_t) {
    auto& card = *static_cast<CardSurface*>(data);
    wl_callback_destroy(callback);
    card.frame_ = nullptr;
    card.is_shown_ = true;
  }
  static constexpr zwlr_layer_surface_v1_listener kLayer{configure, closed};
  static constexpr wl_callback_listener kFrame{drawn};
};

CardSurface::CardSurface(const LayerGlobals& globals, wl_output* output, std::string name)
    : output_(std::move(name)),
      surface_(wl_compositor_create_surface(globals.compositor)),
      layer_surface_(zwlr_layer_shell_v1_get_layer_surface(globals.layer_shell, surface_, output,
                                                           ZWLR_LAYER_SHELL_V1_LAYER_OVERLAY, "compositord-identify")) {
  zwlr_layer_surface_v1_add_listener(layer_surface_, &CardEvents::kLayer, this);
}

CardSurface::~CardSurface() {
  if (frame_ != nullptr) wl_callback_destroy(frame_);
  zwlr_layer_surface_v1_destroy(layer_surface_);
  wl_surface_destroy(surface_);
  if (buffer_ != nullptr) wl_buffer_destroy(buffer_);
}

Result<void> CardSurface::show(const LayerGlobals& globals, const CardImage& image, int scale) {
  buffer_ = make_buffer(globals.shm, image);
  if (buffer_ == nullptr) {
    return fail(Status::kLimit, fmt::format("no shared memory for a picture: {}", std::strerror(errno)));
  }
  wl_region* nothing = wl_compositor_create_region(globals.compositor);
  wl_surface_set_input_region(surface_, nothing);
  wl_region_destroy(nothing);
  wl_surface_set_buffer_scale(surface_, scale);
  // No anchor: in the middle. -1: whatever panels there are.
  zwlr_layer_surface_v1_set_size(layer_surface_, static_cast<std::uint32_t>(image.width_px / scale),
                                 static_cast<std::uint32_t>(image.height_px / scale));
  zwlr_layer_surface_v1_set_exclusive_zone(layer_surface_, -1);
  zwlr_layer_surface_v1_set_keyboard_interactivity(layer_surface_, 0);
  wl_surface_commit(surface_);
  return {};
}

void CardSurface::on_configure(std::uint32_t serial) {
  zwlr_layer_surface_v1_ack_configure(layer_surface_, serial);
  if (!std::exchange(is_attached_, true)) {
    wl_surface_attach(surface_, buffer_, 0, 0);
    wl_surface_damage(surface_, 0, 0, std::numeric_limits<std::int32_t>::max(),
                      std::numeric_limits<std::int32_t>::max());
    frame_ = wl_surface_frame(surface_);
    wl_callback_add_listener(frame_, &CardEvents::kFrame, this);
  }
  wl_surface_commit(surface_);
}

}  // namespace compositord::agent::wlr
