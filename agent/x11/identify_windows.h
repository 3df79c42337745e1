#pragma once
// Carries out `identify` on an X screen: a window with a picture on each CRTC, which no window manager manages and which takes no
// input. Black and white, so that it is the same on each visual, and small.
//
// One window after the other: each picture has up to 64 KiB, and the connection must not hold many of them.

#include <xcb/xcb.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/identify/identify_card.h"
#include "agent/identify/identify_request.h"
#include "agent/x11/screen_outputs.h"
#include "agent/x11/x_connection.h"
#include "common/base/instant.h"

namespace compositord::agent::x11 {

class IdentifyWindows {
 public:
  // The server maps at once, unless it is stuck.
  static constexpr Duration kShowTime = std::chrono::seconds(2);

  // `takes_no_input`: the server has XFixes, which lets input through the windows.
  IdentifyWindows(XConnection& connection, bool takes_no_input)
      : connection_(connection), takes_no_input_(takes_no_input) {}
  IdentifyWindows(const IdentifyWindows&) = delete;
  IdentifyWindows& operator=(const IdentifyWindows&) = delete;

  // As IdentifyOverlay::execute().
  void execute(std::uint64_t command_id, const msg::Value& params, const ScreenOutputs& screen, Instant now,
               Instant deadline, DriverOutputs& out);
  void on_event(const xcb_generic_event_t& event);
  void service(Instant now, DriverOutputs& out);
  void on_gone(DriverOutputs& out);
  Instant next_deadline() const noexcept { return until_; }

 private:
  struct Place {
    std::vector<std::string> outputs;  // that show it; more than one when they show the same
    msg::Output output;                // the first of them
    std::int32_t x = 0;
    std::int32_t y = 0;
    std::uint32_t width_px = 0;
    std::uint32_t height_px = 0;
  };
  static std::deque<Place> places_on(const ScreenOutputs& screen);
  void show_next(DriverOutputs& out);
  // Errors: as XConnection::take_id(); what was made by then goes with end().
  Result<void> open_window(const Place& place, const CardImage& image);
  Result<void> draw(xcb_pixmap_t picture, const CardImage& image);
  Result<void> let_input_through(xcb_window_t window);
  void finish(Status status, std::string error, DriverOutputs& out);
  void end();

  XConnection& connection_;
  bool takes_no_input_;
  IdentifyRequest request_;
  std::optional<std::uint64_t> command_id_;  // until it is answered
  std::deque<Place> waiting_;                // the first one's window is not mapped yet, when has_asked_
  bool has_asked_ = false;
  bool is_mapped_ = false;  // set by the event, taken by service()
  std::vector<std::string> shown_;
  std::vector<XId> windows_;
  Instant until_ = kNever;  // of being shown, or of waiting for it
};

// One bit for each pixel, rows padded to 32 bits, the leftmost pixel in the lowest bit: as a server of our own byte order wants
// it. `image`'s light pixels are set.
std::string to_bitmap(const CardImage& image);

}  // namespace compositord::agent::x11
