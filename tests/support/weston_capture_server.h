#pragma once
// weston's side of weston-output-capture, as libweston/output-capture.c keeps it, for compositors in tests: version 1 or 2, with a
// description of the protocol of its own, and a word for how it behaves.

#include <wayland-server-core.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace compositord::test {

// What an output shows: one colour.
struct CapturedOutput {
  std::int32_t width_px = 0;
  std::int32_t height_px = 0;
  std::uint32_t colour = 0;
};

class WestonCaptureServer {
 public:
  // What the output of this resource shows now.
  using Look = std::function<CapturedOutput(wl_resource* output)>;
  // Asked at each request: nothing or "honest", else
  //   denies        fails with "unauthorized"               fails      fails with "no GPU"
  //   silent_fail   fails without a reason                  resizes    is twice as large at the first attempt, and says so then
  //   resizes_on    finds no buffer ever large enough       reformats  wants another format after the first attempt
  //   strange       offers only a format nobody reads       picky      offers that one first, then XBGR8888
  //   off           describes nothing                       nonsense   says that it is -1 px wide
  //   huge          says that it is 16384x16384 px          huge_together  the same with 8000x5000, and never answers
  //   huge_again    the same with 6000x5000, and a retry before that
  //   hasty         is done before it was asked             mute       describes and never answers
  using Behave = std::function<std::string()>;

  // The display has wl_shm already.
  WestonCaptureServer(wl_display* display, std::uint32_t version, Look look, Behave behave);
  ~WestonCaptureServer();
  WestonCaptureServer(const WestonCaptureServer&) = delete;
  WestonCaptureServer& operator=(const WestonCaptureServer&) = delete;

  // How often somebody has bound it, and asked for a picture.
  int bound() const noexcept;
  int captures() const noexcept;

 private:
  friend struct CaptureRequests;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The interface of before, weston_screenshooter: it answers nobody and ends the connection of whoever asks. Lives as long as the display.
void offer_punishing_screenshooter(wl_display* display);

}  // namespace compositord::test
