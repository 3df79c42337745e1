#pragma once
// Does the compositing manager paint? A window of 2x2 pixels is shown for a moment, in the colour that is there already but
// for its lowest bit, which nobody sees; then the pixel on the screen is read until it changes. With a compositing manager
// the server itself shows no window: that the pixel changed is the compositing manager's doing. It is the one probe that
// all of them answer, and it touches the screen; so it is used sparingly.
//
// XCompositeGetOverlayWindow must not be called for it: that hides the drawing of xcompmgr.

#include <chrono>
#include <cstdint>
#include <optional>

#include "agent/x11/client_probe.h"
#include "agent/x11/x_connection.h"

namespace compositord::agent::x11 {

class PaintProbe : public ClientProbe {
 public:
  // A frame takes 16 ms; the wait between two looks doubles up to the second figure while nothing is painted.
  static constexpr Duration kFirstLook = std::chrono::milliseconds(10);
  static constexpr Duration kLookMax = std::chrono::milliseconds(160);

  // A compositing manager that has just begun may lose a window (compiz does), and then never paints it: a new window is
  // shown after this long, then after twice as long, and so on.
  static constexpr Duration kShowAgainFirst = std::chrono::milliseconds(500);
  static constexpr Duration kShowAgainMax = std::chrono::minutes(1);

  explicit PaintProbe(XConnection& connection) : connection_(connection) {}

  // Where on the screen; it must be on an output that is on.
  void move_to(std::int16_t x, std::int16_t y);
  void start(Instant now) override;
  bool service(Instant now) override;
  void on_event(const xcb_generic_event_t&) override {}
  Instant next_deadline() const noexcept override { return look_at_; }
  void cancel() override;
  // Whether the pixel was still the old one right after the window was shown. If not, the server itself showed the
  // window: a compositing manager has its role before it begins to composite.
  bool was_composited() const noexcept { return was_composited_; }

 private:
  enum class State { kIdle, kReadingBefore, kWaitingForPaint };
  void read_pixel();
  bool make_window();
  void show_window();
  void hide_window();
  void show_again(Instant now);
  void on_pixel(std::uint32_t pixel, Instant now);

  XConnection& connection_;
  State state_ = State::kIdle;
  std::int16_t x_ = 0;
  std::int16_t y_ = 0;
  std::optional<XId> window_;
  unsigned reading_ = 0;  // counts readings, so that a late one of a probe taken back is not mistaken for ours
  std::optional<std::uint32_t> pixel_;
  std::uint32_t before_ = 0;
  bool was_painted_ = false;
  bool was_composited_ = false;
  Duration wait_ = kFirstLook;
  Duration show_again_ = kShowAgainFirst;
  Instant show_again_at_ = kNever;
  Instant look_at_ = kNever;
};

}  // namespace compositord::agent::x11
