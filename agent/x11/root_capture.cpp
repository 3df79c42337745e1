#include "agent/x11/root_capture.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent::x11 {

namespace {

std::uint32_t bits_per_pixel(const xcb_setup_t* setup, std::uint8_t depth) {
  for (auto it = xcb_setup_pixmap_formats_iterator(setup); it.rem > 0; xcb_format_next(&it)) {
    if (it.data->depth == depth) return it.data->bits_per_pixel;
  }
  return 0;
}

const xcb_visualtype_t* root_visual(const xcb_screen_t* screen) {
  for (auto depth = xcb_screen_allowed_depths_iterator(screen); depth.rem > 0; xcb_depth_next(&depth)) {
    for (auto visual = xcb_depth_visuals_iterator(depth.data); visual.rem > 0; xcb_visualtype_next(&visual)) {
      if (visual.data->visual_id == screen->root_visual) return visual.data;
    }
  }
  return nullptr;
}

std::uint8_t shift_of(std::uint32_t mask) { return static_cast<std::uint8_t>(std::countr_zero(mask)); }

bool has_bits(const xcb_visualtype_t& visual, int bits) {
  return std::popcount(visual.red_mask) == bits && std::popcount(visual.green_mask) == bits &&
         std::popcount(visual.blue_mask) == bits;
}

// The part of `wanted` that lies on the screen.
Rect clipped(const Rect& wanted, const Rect& root) {
  Rect rect;
  rect.x = std::min(wanted.x, root.width_px);
  rect.y = std::min(wanted.y, root.height_px);
  rect.width_px = std::min(wanted.width_px, root.width_px - rect.x);
  rect.height_px = std::min(wanted.height_px, root.height_px - rect.y);
  return rect;
}

void copy_tile(const xcb_get_image_reply_t& reply, const Rect& tile, Pixels& pixels) {
  const unsigned char* from = xcb_get_image_data(&reply);
  const std::size_t row_bytes = std::size_t{tile.width_px} * 4;
  for (std::uint32_t y = 0; y < tile.height_px; ++y) {
    unsigned char* to = pixels.memory.data() + std::size_t{tile.y + y} * pixels.stride_bytes + std::size_t{tile.x} * 4;
    std::memcpy(to, from + y * row_bytes, row_bytes);
  }
}

}  // namespace

Result<RootArea> root_area(const ScreenOutputs& screen, const ScreenshotRequest& request) {
  RootArea area;
  std::string names;
  for (const ScreenOutput& output : screen.outputs) {
    const ScreenCrtc* crtc = output.crtc == XCB_NONE ? nullptr : screen.crtc(output.crtc);
    if (crtc == nullptr || crtc->mode == XCB_NONE) continue;
    const std::string& name = output.output.name;
    names += (names.empty() ? "" : ", ") + name;
    if (request.output && *request.output != name) continue;
    area.outputs.push_back(name);
    if (!request.output) continue;
    area.rect = Rect{static_cast<std::uint32_t>(std::max(crtc->x, 0)), static_cast<std::uint32_t>(std::max(crtc->y, 0)),
                     crtc->width_px, crtc->height_px};
  }
  if (!request.output || area.rect) return area;
  return fail(Status::kNotFound, fmt::format("there is no output \"{}\" that is switched on; the X server has {}",
                                             *request.output, names.empty() ? "none" : names));
}

Result<PixelLayout> root_layout(const XConnection& connection) {
  const xcb_setup_t* setup = connection.setup();
  const xcb_screen_t* screen = connection.screen();
  const xcb_visualtype_t* visual = root_visual(screen);
  const int bits = visual == nullptr ? 0 : std::popcount(visual->green_mask);
  const bool readable = visual != nullptr && visual->_class == XCB_VISUAL_CLASS_TRUE_COLOR &&
                        (bits == 8 || bits == 10) && has_bits(*visual, bits) &&
                        bits_per_pixel(setup, screen->root_depth) == 32 &&
                        setup->image_byte_order == XCB_IMAGE_ORDER_LSB_FIRST;
  if (!readable) {
    return fail(Status::kUnsupported, fmt::format("this X server's screen has a depth of {}; this agent reads screens "
                                                  "of 24 and 30, with 32 bits for a pixel",
                                                  screen->root_depth));
  }
  return PixelLayout{shift_of(visual->red_mask), shift_of(visual->green_mask), shift_of(visual->blue_mask),
                     static_cast<std::uint8_t>(bits)};
}

RootCapture::RootCapture(XConnection& connection, PixelLayout layout, RootArea area)
    : connection_(connection), layout_(layout), area_(std::move(area)) {
  const auto cookie = xcb_get_geometry(connection_.xcb(), connection_.screen()->root);
  connection_.expect(cookie, [progress = progress_](const void* reply) {
    const auto* geometry = static_cast<const xcb_get_geometry_reply_t*>(reply);
    if (geometry == nullptr) {
      progress->error = Error{Status::kFailed, "the X server does not tell its screen's size"};
    } else {
      progress->root = Rect{0, 0, geometry->width, geometry->height};
    }
  });
}

RootCapture::~RootCapture() {
  if (pixmap_) xcb_free_pixmap(connection_.xcb(), pixmap_->get());
}

std::optional<Result<Shot>> RootCapture::service(Instant) {
  Progress& progress = *progress_;
  if (progress.error) return tl::unexpected(*progress.error);
  if (const auto root = std::exchange(progress.root, std::nullopt)) {
    if (auto begun = begin_copy(*root); !begun) return tl::unexpected(begun.error());
  }
  if (!progress.pixels) return std::nullopt;
  ask_tiles();
  if (progress.pixels_read < std::uint64_t{rect_.width_px} * rect_.height_px) return std::nullopt;
  Shot shot;
  shot.pictures.push_back(Picture{std::move(*progress.pixels), msg::Transform::k0, {}});
  shot.outputs = area_.outputs;
  return shot;
}

Result<void> RootCapture::begin_copy(const Rect& root) {
  rect_ = clipped(area_.rect.value_or(root), root);
  const std::uint64_t count = std::uint64_t{rect_.width_px} * rect_.height_px;
  if (count == 0) return fail(Status::kFailed, "the output does not lie on the X server's screen");
  if (count > kShotPixelsMax) {
    return fail(Status::kTooLarge, fmt::format("the screen has {}x{} px, and {} Mpx are allowed; ask for one output",
                                               rect_.width_px, rect_.height_px, kShotPixelsMax / 1'000'000));
  }
  auto memory = PixelMemory::create(count * 4);
  if (!memory) return tl::unexpected(memory.error());
  progress_->pixels.emplace(
      Pixels{std::move(*memory), rect_.width_px, rect_.height_px, rect_.width_px * 4, layout_, false});
  return copy_root();
}

Result<void> RootCapture::copy_root() {
  xcb_connection_t* xcb = connection_.xcb();
  const xcb_screen_t* screen = connection_.screen();
  const auto width_px = static_cast<std::uint16_t>(rect_.width_px);
  const auto height_px = static_cast<std::uint16_t>(rect_.height_px);
  auto pixmap = connection_.take_id();
  if (!pixmap) return tl::unexpected(pixmap.error());
  const auto context = connection_.take_id();
  if (!context) return tl::unexpected(context.error());
  pixmap_ = std::move(*pixmap);
  xcb_create_pixmap(xcb, screen->root_depth, pixmap_->get(), screen->root, width_px, height_px);
  // With the windows on it, and without an event for each part that could not be copied.
  const std::array<std::uint32_t, 2> values{XCB_SUBWINDOW_MODE_INCLUDE_INFERIORS, 0};
  xcb_create_gc(xcb, context->get(), screen->root, XCB_GC_SUBWINDOW_MODE | XCB_GC_GRAPHICS_EXPOSURES, values.data());
  xcb_copy_area(xcb, screen->root, pixmap_->get(), context->get(), static_cast<std::int16_t>(rect_.x),
                static_cast<std::int16_t>(rect_.y), 0, 0, width_px, height_px);
  xcb_free_gc(xcb, context->get());
  return {};
}

void RootCapture::ask_tiles() {
  while (progress_->tiles_owed < kTilesOwedMax && next_y_ < rect_.height_px) {
    ++progress_->tiles_owed;
    ask_tile(next_tile());
  }
}

Rect RootCapture::next_tile() {
  Rect tile{next_x_, next_y_, std::min(rect_.width_px - next_x_, kTileWidthPxMax), 0};
  const std::uint32_t rows = kTileBytesMax / (std::min(rect_.width_px, kTileWidthPxMax) * 4);
  tile.height_px = std::min(rows, rect_.height_px - next_y_);
  next_x_ += tile.width_px;
  if (next_x_ == rect_.width_px) {
    next_x_ = 0;
    next_y_ += tile.height_px;
  }
  return tile;
}

void RootCapture::ask_tile(const Rect& tile) {
  const auto cookie =
      xcb_get_image(connection_.xcb(), XCB_IMAGE_FORMAT_Z_PIXMAP, pixmap_->get(), static_cast<std::int16_t>(tile.x),
                    static_cast<std::int16_t>(tile.y), static_cast<std::uint16_t>(tile.width_px),
                    static_cast<std::uint16_t>(tile.height_px), ~std::uint32_t{0});
  connection_.expect(cookie, [progress = progress_, tile](const void* reply) {
    const auto* image = static_cast<const xcb_get_image_reply_t*>(reply);
    const std::size_t bytes = std::size_t{tile.width_px} * tile.height_px * 4;
    --progress->tiles_owed;
    if (image == nullptr || static_cast<std::size_t>(xcb_get_image_data_length(image)) < bytes) {
      progress->error = Error{Status::kFailed, "the X server gave no picture; has it memory for a copy of its screen?"};
      return;
    }
    if (progress->pixels) copy_tile(*image, tile, *progress->pixels);
    progress->pixels_read += std::uint64_t{tile.width_px} * tile.height_px;
  });
}

}  // namespace compositord::agent::x11
