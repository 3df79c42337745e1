#include "agent/x11/identify_windows.h"

#include <xcb/xfixes.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent::x11 {

namespace {

constexpr std::size_t kPlacesMax = 64;
constexpr std::uint8_t kShapeInput = 2;  // ShapeInput of the SHAPE extension's header, which is a package of its own

}  // namespace

std::string to_bitmap(const CardImage& image) {
  const auto width = static_cast<std::size_t>(image.width_px);
  const auto height = static_cast<std::size_t>(image.height_px);
  const std::size_t row_bytes = (width + 31) / 32 * 4;
  std::string bits(row_bytes * height, '\0');
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const bool light = (image.pixels[y * width + x] & 0xffU) >= 0x80;
      char& byte = bits[y * row_bytes + x / 8];
      if (light) byte = static_cast<char>(static_cast<unsigned char>(byte) | (1U << (x % 8)));
    }
  }
  return bits;
}

std::deque<IdentifyWindows::Place> IdentifyWindows::places_on(const ScreenOutputs& screen) {
  std::deque<Place> places;
  for (const ScreenCrtc& crtc : screen.crtcs) {
    if (crtc.mode == XCB_NONE || places.size() >= kPlacesMax) continue;
    Place place{{}, {}, crtc.x, crtc.y, crtc.width_px, crtc.height_px};
    for (const ScreenOutput& output : screen.outputs) {
      if (output.crtc != crtc.id) continue;
      if (place.outputs.empty()) place.output = output.output;
      place.outputs.push_back(output.output.name);
    }
    if (!place.outputs.empty()) places.push_back(std::move(place));
  }
  return places;
}

void IdentifyWindows::execute(std::uint64_t command_id, const msg::Value& params, const ScreenOutputs& screen,
                              Instant now, Instant deadline, DriverOutputs& out) {
  const auto refuse = [&](Status status, std::string error) {
    out.events.emplace_back(driver_event::CommandFinished{command_id, status, std::move(error), msg::Value::map()});
  };
  auto request = parse_identify_request(params);
  if (!request) return refuse(request.error().status, request.error().text);
  if (command_id_) return refuse(Status::kConflict, "another identify is about to be shown; try again in a moment");
  const xcb_setup_t* setup = connection_.setup();
  if (setup->bitmap_format_bit_order != XCB_IMAGE_ORDER_LSB_FIRST ||
      setup->image_byte_order != XCB_IMAGE_ORDER_LSB_FIRST || setup->bitmap_format_scanline_pad != 32) {
    return refuse(Status::kUnsupported, "this X server wants its bitmaps in an order that this agent does not know");
  }
  end();
  request_ = std::move(*request);
  command_id_ = command_id;
  waiting_ = places_on(screen);
  if (waiting_.empty()) return finish(Status::kFailed, "no output of this X server is on", out);
  until_ = std::min(now + kShowTime, deadline);
  show_next(out);
}

void IdentifyWindows::show_next(DriverOutputs& out) {
  const Place& place = waiting_.front();
  msg::Output output = place.output;
  // What the CRTC covers, which is turned already.
  output.current_mode = msg::Mode{place.width_px, place.height_px,
                                  place.output.current_mode ? place.output.current_mode->refresh_mhz : 0, false};
  output.transform = msg::Transform::k0;
  std::string& name = output.name;
  for (std::size_t i = 1; i < place.outputs.size(); ++i) name += " + " + place.outputs[i];
  const auto image = draw_identify_card(request_, output, 1);
  const auto opened = image ? open_window(place, *image) : tl::unexpected(image.error());
  if (!opened) {
    finish(opened.error().status, opened.error().text, out);
    return end();
  }
  has_asked_ = true;
  is_mapped_ = false;
}

Result<void> IdentifyWindows::draw(xcb_pixmap_t picture, const CardImage& image) {
  const auto context = connection_.take_id();
  if (!context) return tl::unexpected(context.error());
  xcb_connection_t* xcb = connection_.xcb();
  const xcb_screen_t& screen = *connection_.screen();
  const auto width = static_cast<std::uint16_t>(image.width_px);
  const auto height = static_cast<std::uint16_t>(image.height_px);
  xcb_create_pixmap(xcb, screen.root_depth, picture, screen.root, width, height);
  const std::array<std::uint32_t, 2> colours{screen.white_pixel, screen.black_pixel};
  xcb_create_gc(xcb, context->get(), picture, XCB_GC_FOREGROUND | XCB_GC_BACKGROUND, colours.data());
  const std::string bits = to_bitmap(image);
  const std::size_t row_bytes = bits.size() / height;
  const std::size_t rows_max = (XConnection::kRequestBytesMax - sizeof(xcb_put_image_request_t)) / row_bytes;
  for (std::size_t y = 0; y < height; y += rows_max) {
    const std::size_t rows = std::min(rows_max, height - y);
    xcb_put_image(xcb, XCB_IMAGE_FORMAT_XY_BITMAP, picture, context->get(), width, static_cast<std::uint16_t>(rows), 0,
                  static_cast<std::int16_t>(y), 0, 1, static_cast<std::uint32_t>(rows * row_bytes),
                  reinterpret_cast<const std::uint8_t*>(bits.data() + y * row_bytes));
  }
  xcb_free_gc(xcb, context->get());
  return {};
}

Result<void> IdentifyWindows::open_window(const Place& place, const CardImage& image) {
  auto window = connection_.take_id();
  if (!window) return tl::unexpected(window.error());
  // As its background the picture is the server's to repaint.
  const auto picture = connection_.take_id();
  if (!picture) return tl::unexpected(picture.error());
  if (auto drawn = draw(picture->get(), image); !drawn) return drawn;
  xcb_connection_t* xcb = connection_.xcb();
  const auto middle = [](std::int32_t start, std::uint32_t length, int size) {
    return static_cast<std::int16_t>(start + (static_cast<std::int32_t>(length) - size) / 2);
  };
  const std::array<std::uint32_t, 3> values{picture->get(), 1, XCB_EVENT_MASK_STRUCTURE_NOTIFY};
  xcb_create_window(xcb, XCB_COPY_FROM_PARENT, window->get(), connection_.screen()->root,
                    middle(place.x, place.width_px, image.width_px), middle(place.y, place.height_px, image.height_px),
                    static_cast<std::uint16_t>(image.width_px), static_cast<std::uint16_t>(image.height_px), 0,
                    XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                    XCB_CW_BACK_PIXMAP | XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK, values.data());
  xcb_free_pixmap(xcb, picture->get());
  windows_.push_back(std::move(*window));
  const xcb_window_t shown = windows_.back().get();
  if (takes_no_input_) {
    if (auto let = let_input_through(shown); !let) return let;
  }
  xcb_map_window(xcb, shown);
  constexpr std::uint32_t kAbove = XCB_STACK_MODE_ABOVE;
  xcb_configure_window(xcb, shown, XCB_CONFIG_WINDOW_STACK_MODE, &kAbove);
  return {};
}

Result<void> IdentifyWindows::let_input_through(xcb_window_t window) {
  const auto nothing = connection_.take_id();
  if (!nothing) return tl::unexpected(nothing.error());
  xcb_connection_t* xcb = connection_.xcb();
  xcb_xfixes_create_region(xcb, nothing->get(), 0, nullptr);
  xcb_xfixes_set_window_shape_region(xcb, window, kShapeInput, 0, 0, nothing->get());
  xcb_xfixes_destroy_region(xcb, nothing->get());
  return {};
}

void IdentifyWindows::on_event(const xcb_generic_event_t& event) {
  if ((event.response_type & 0x7fU) != XCB_MAP_NOTIFY || windows_.empty()) return;
  is_mapped_ |= reinterpret_cast<const xcb_map_notify_event_t&>(event).window == windows_.back().get();
}

void IdentifyWindows::service(Instant now, DriverOutputs& out) {
  if (has_asked_ && is_mapped_) {
    has_asked_ = false;
    for (std::string& output : waiting_.front().outputs) shown_.push_back(std::move(output));
    waiting_.pop_front();
    if (!waiting_.empty()) return show_next(out);
    finish(Status::kDone, {}, out);
    until_ = now + request_.duration();
  }
  if (now < until_) return;
  if (command_id_) finish(Status::kDeadline, "the X server did not show it in time; it is taken away", out);
  end();
}

void IdentifyWindows::on_gone(DriverOutputs& out) {
  if (command_id_) finish(Status::kGone, "the display ended under the command", out);
  windows_.clear();
  end();
}

void IdentifyWindows::finish(Status status, std::string error, DriverOutputs& out) {
  out.events.emplace_back(driver_event::CommandFinished{*std::exchange(command_id_, std::nullopt), status,
                                                        std::move(error), identify_result(request_, shown_)});
}

void IdentifyWindows::end() {
  for (const XId& window : windows_) xcb_destroy_window(connection_.xcb(), window.get());
  windows_.clear();
  waiting_.clear();
  shown_.clear();
  has_asked_ = is_mapped_ = false;
  until_ = kNever;
}

}  // namespace compositord::agent::x11
