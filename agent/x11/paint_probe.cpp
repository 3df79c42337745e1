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
    was_composited_ = false;
    if (!window_ && !make_window()) {
      was_painted_ = true;  // answered, and no proof: without a window nobody can be asked to paint it
      return cancel();
    }
    show_window();
    state_ = State::kWaitingForPaint;
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

// Instead of the one that is there, if any. False when the server allows no more.
bool PaintProbe::make_window() {
  auto id = connection_.take_id();
  if (!id) return false;
  xcb_connection_t* xcb = connection_.xcb();
  if (window_) xcb_destroy_window(xcb, window_->get());
  window_ = std::move(*id);
  // No window manager shall care for it.
  const std::array<std::uint32_t, 2> values{before_ ^ 1U, 1};
  xcb_create_window(xcb, XCB_COPY_FROM_PARENT, window_->get(), connection_.screen()->root, x_, y_, kSidePx, kSidePx, 0,
                    XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT, XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT,
                    values.data());
  return true;
}

void PaintProbe::show_window() {
  xcb_connection_t* xcb = connection_.xcb();
  const xcb_window_t window = window_->get();
  const std::uint32_t colour = before_ ^ 1U;
  const std::array<std::uint32_t, 3> place{static_cast<std::uint32_t>(x_), static_cast<std::uint32_t>(y_),
                                           XCB_STACK_MODE_ABOVE};
  xcb_change_window_attributes(xcb, window, XCB_CW_BACK_PIXEL, &colour);
  xcb_configure_window(xcb, window, XCB_CONFIG_WINDOW_X | XCB_CONFIG_WINDOW_Y | XCB_CONFIG_WINDOW_STACK_MODE,
                       place.data());
  xcb_map_window(xcb, window);
  xcb_clear_area(xcb, 0, window, 0, 0, 0, 0);
}

void PaintProbe::show_again(Instant now) {
  make_window();  // without an id for another one the old one stays
  show_window();
  show_again_ = std::min(show_again_ * 2, kShowAgainMax);
  show_again_at_ = now + show_again_;
}

void PaintProbe::hide_window() {
  if (window_) xcb_unmap_window(connection_.xcb(), window_->get());
}

void PaintProbe::cancel() {
  if (state_ == State::kIdle) return;
  hide_window();
  state_ = State::kIdle;
  look_at_ = kNever;
  ++reading_;
}

}  // namespace compositord::agent::x11
