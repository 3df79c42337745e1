#pragma once
// A shot of an X screen: the server copies the root window, with all that lies on it, into a pixmap, so that the picture is of one
// moment; and that is read in tiles, each small enough for a connection that never blocks.
//
//   kGeometry -> kTiles -> ended

#include <xcb/xcb.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/capture/capture.h"
#include "agent/capture/image.h"
#include "agent/x11/screen_outputs.h"
#include "agent/x11/x_connection.h"

namespace compositord::agent::x11 {

// The part of a screen that is wanted.
struct RootArea {
  std::optional<Rect> rect;          // none: all of it
  std::vector<std::string> outputs;  // that are in it
};

// Errors: kNotFound for an output that isn't there, naming those that are, or that is switched off.
Result<RootArea> root_area(const ScreenOutputs& screen, const ScreenshotRequest& request);

// Where the colours are in a pixel of the root window. Errors: kUnsupported for screens of other than 24 or 30 bits.
Result<PixelLayout> root_layout(const XConnection& connection);

class RootCapture final : public Capture {
 public:
  // With their replies these fill less than kXPacketBytesMax.
  static constexpr std::uint32_t kTileWidthPxMax = 8192;
  static constexpr std::uint32_t kTileBytesMax = 60U << 10U;
  // So many tiles are asked for at once, so that the server has something to do while we copy.
  static constexpr std::uint32_t kTilesOwedMax = 4;

  // On a connection that is set up, and outlives it.
  RootCapture(XConnection& connection, PixelLayout layout, RootArea area);
  ~RootCapture() override;
  RootCapture(const RootCapture&) = delete;
  RootCapture& operator=(const RootCapture&) = delete;

  void poll_fds(std::vector<pollfd>&) const override {}  // its driver polls the connection
  Instant next_deadline() const noexcept override { return kNever; }
  std::optional<Result<Shot>> service(Instant now) override;

 private:
  // What answers may still write into when nobody wants the picture any more.
  struct Progress {
    std::optional<Pixels> pixels;  // when the geometry is known
    std::optional<Rect> root;      // its size, and nothing else
    std::optional<Error> error;
    std::uint32_t tiles_owed = 0;
    std::uint64_t pixels_read = 0;
  };

  Result<void> begin_copy(const Rect& root);
  Result<void> copy_root();
  void ask_tiles();
  void ask_tile(const Rect& tile);
  Rect next_tile();

  XConnection& connection_;
  PixelLayout layout_;
  RootArea area_;
  Rect rect_;  // of the root window, as wanted and as it is there
  std::optional<XId> pixmap_;
  std::uint32_t next_x_ = 0;  // of the next tile, in the picture
  std::uint32_t next_y_ = 0;
  std::shared_ptr<Progress> progress_ = std::make_shared<Progress>();
};

}  // namespace compositord::agent::x11
