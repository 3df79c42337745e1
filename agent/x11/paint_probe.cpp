#include "agent/x11/paint_probe.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace compositord::agent::x11 {

namespace {

constexpr std::uint16_t kSidePx = 2;

std::uint32_t colour_bits(std::uint8_t depth) { return depth >= 24 ? 0x00ff'ffffU : (1U << depth) - 1; }

}  // namespace

void PaintProbe::move_to(std::int16_t x, std::int16_t y) {
  x_ = x;
  y_ = y;
}

void PaintProbe::start(Instant) {
  state_ = State::kReadingBefore;
  pixel_.reset();
  read_pixel();
}

void PaintProbe::read_pixel() {
  look_at_ = kNever;
  const auto cookie = xcb_get_image(connection_.xcb(), XCB_IMAGE_FORMAT_Z_PIXMAP, connection_.screen()->root, x_, y_, 1,
                                    1, ~std::uint32_t{0});
  connection_.expect(cookie, [this, reading = ++reading_](const void* reply) {
    if (reply == nullptr || reading != reading_) return;  // an error: no screen there; then nobody can paint it either
    const auto* image = static_cast<const xcb_get_image_reply_t*>(reply);
    std::uint32_t pixel = 0;
    const auto bytes = static_cast<std::size_t>(xcb_get_image_data_length(image));
    std::memcpy(&pixel, xcb_get_image_data(image), std::min(bytes, sizeof pixel));
    pixel_ = pixel & colour_bits(image->depth);
  });
}

bool PaintProbe::service(Instant now) {
  if (state_ == State::kIdle) return false;
  if (pixel_) on_pixel(*std::exchange(pixel_, std::nullopt), now);
  if (now >= look_at_) read_pixel();
  return std::exchange(was_painted_, false);
}

void PaintProbe::on_pixel(std::uint32_t pixel, Instant now) {
  if (state_ == State::kReadingBefore) {
    before_ = pixel;
    show_window();
    state_ = State::kWaitingForPaint;
    was_composited_ = false;
    wait_ = kFirstLook;
    show_again_ = kShowAgainFirst;
    show_again_at_ = now + show_again_;
    return read_pixel();
  }
  if (pixel != before_) {
    was_painted_ = true;
    return cancel();
  }
  was_composited_ = true;
  if (now >= show_again_at_) show_again(now);
  look_at_ = now + wait_;
  wait_ = std::min(wait_ * 2, kLookMax);
}

void PaintProbe::show_window() {
  xcb_connection_t* xcb = connection_.xcb();
  const std::uint32_t colour = before_ ^ 1U;
  if (window_ == XCB_WINDOW_NONE) {
    window_ = xcb_generate_id(xcb);
    // No window manager shall care for it.
    const std::array<std::uint32_t, 2> values{colour, 1};
    xcb_create_window(xcb, XCB_COPY_FROM_PARENT, window_, connection_.screen()->root, x_, y_, kSidePx, kSidePx, 0,
                      XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT, XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT,
                      values.data());
  }
  const std::array<std::uint32_t, 3> place{static_cast<std::uint32_t>(x_), static_cast<std::uint32_t>(y_),
                                           XCB_STACK_MODE_ABOVE};
  xcb_change_window_attributes(xcb, window_, XCB_CW_BACK_PIXEL, &colour);
  xcb_configure_window(xcb, window_, XCB_CONFIG_WINDOW_X | XCB_CONFIG_WINDOW_Y | XCB_CONFIG_WINDOW_STACK_MODE,
                       place.data());
  xcb_map_window(xcb, window_);
  xcb_clear_area(xcb, 0, window_, 0, 0, 0, 0);
}

void PaintProbe::show_again(Instant now) {
  xcb_destroy_window(connection_.xcb(), window_);
  window_ = XCB_WINDOW_NONE;
  show_window();
  show_again_ = std::min(show_again_ * 2, kShowAgainMax);
  show_again_at_ = now + show_again_;
}

void PaintProbe::hide_window() {
  if (window_ != XCB_WINDOW_NONE) xcb_unmap_window(connection_.xcb(), window_);
}

void PaintProbe::cancel() {
  if (state_ == State::kIdle) return;
  hide_window();
  state_ = State::kIdle;
  look_at_ = kNever;
  ++reading_;
}

}  // namespace compositord::agent::x11
