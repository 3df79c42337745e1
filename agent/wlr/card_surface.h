#pragma once
// A picture in the middle of one output, above all else, that takes no input: a surface of zwlr_layer_shell_v1.

#include <cstdint>
#include <string>

#include "agent/identify/identify_card.h"
#include "common/base/result.h"

struct wl_buffer;
struct wl_callback;
struct wl_compositor;
struct wl_output;
struct wl_shm;
struct wl_surface;
struct zwlr_layer_shell_v1;
struct zwlr_layer_surface_v1;

namespace compositord::agent::wlr {

// What it is made with; its owner keeps them bound.
struct LayerGlobals {
  wl_compositor* compositor = nullptr;
  wl_shm* shm = nullptr;
  zwlr_layer_shell_v1* layer_shell = nullptr;
};

class CardSurface {
 public:
  CardSurface(const LayerGlobals& globals, wl_output* output, std::string name);
  CardSurface(const CardSurface&) = delete;
  CardSurface& operator=(const CardSurface&) = delete;
  ~CardSurface();

  // Gives it its picture and asks for its place. Errors: kLimit when there is no memory to share.
  Result<void> show(const LayerGlobals& globals, const CardImage& image, int scale);
  const std::string& output() const noexcept { return output_; }
  // The compositor drew a frame with it.
  bool is_shown() const noexcept { return is_shown_; }
  // The compositor took it away, or its output.
  bool is_closed() const noexcept { return is_closed_; }

 private:
  friend struct CardEvents;
  void on_configure(std::uint32_t serial);

  std::string output_;
  wl_surface* surface_ = nullptr;
  zwlr_layer_surface_v1* layer_surface_ = nullptr;
  wl_buffer* buffer_ = nullptr;
  wl_callback* frame_ = nullptr;
  bool is_attached_ = false;
  bool is_shown_ = false;
  bool is_closed_ = false;
};

}  // namespace compositord::agent::wlr
