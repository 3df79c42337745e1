#include "agent/identify/identify_card.h"

#include <cairo.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string_view>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

struct DestroySurface {
  void operator()(cairo_surface_t* surface) const noexcept { cairo_surface_destroy(surface); }
};
struct DestroyContext {
  void operator()(cairo_t* context) const noexcept { cairo_destroy(context); }
};
using Surface = std::unique_ptr<cairo_surface_t, DestroySurface>;
using Context = std::unique_ptr<cairo_t, DestroyContext>;

struct Line {
  std::string text;
  double size = 0;  // as a part of the card's height unit
};

constexpr double kMargin = 0.6;      // around the text, in units
constexpr double kLineHeight = 1.4;  // of a line's size

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// cairo's built-in font needs no font file and no fontconfig, whose first use reads all of a machine's fonts. It has ASCII only.
void choose_font(cairo_t* context, const Line& line, double unit) {
  const char* family = is_ascii(line.text) ? "@cairo:" : "sans";
  cairo_select_font_face(context, family, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
  cairo_set_font_size(context, line.size * unit);
}

double width_of(cairo_t* context, const Line& line, double unit) {
  choose_font(context, line, unit);
  cairo_text_extents_t extents{};
  cairo_text_extents(context, line.text.c_str(), &extents);
  return extents.x_advance;
}

Surface new_surface(int width_px, int height_px) {
  return Surface(cairo_image_surface_create(CAIRO_FORMAT_ARGB32, width_px, height_px));
}

struct Layout {
  double unit = 0;  // of a line of size 1, in pixels
  double width = 0;
  double height = 0;
};

// As large as the room allows, up to a third of it in width: read from across the hall, and not hiding the screen.
Layout lay_out(const std::vector<Line>& lines, double room_width, double room_height) {
  const Surface surface = new_surface(1, 1);
  const Context context(cairo_create(surface.get()));
  constexpr double kTrial = 100;
  double widest = 0;
  double height = 2 * kMargin;
  for (const Line& line : lines) {
    widest = std::max(widest, width_of(context.get(), line, kTrial) / kTrial);
    height += line.size * kLineHeight;
  }
  const double width = widest + 2 * kMargin;
  Layout layout;
  layout.unit = std::clamp(room_width / 24, 12.0, 96.0);
  layout.unit = std::min({layout.unit, room_width / width, room_height / height});
  layout.width = width * layout.unit;
  layout.height = height * layout.unit;
  return layout;
}

// To a multiple of `scale`, as a buffer of that scale must be, within 1 … max.
int to_pixels(double length, int scale, int max) {
  const int units = std::max(1, static_cast<int>(std::ceil(length / scale)));
  return std::max(scale, std::min(units * scale, max / scale * scale));
}

void paint(cairo_t* context, const std::vector<Line>& lines, const Layout& layout, int width_px, int height_px) {
  cairo_set_source_rgb(context, 0.05, 0.05, 0.05);
  cairo_paint(context);
  cairo_set_source_rgb(context, 1, 1, 1);
  cairo_set_line_width(context, std::max(1.0, layout.unit / 12));
  cairo_rectangle(context, layout.unit / 6, layout.unit / 6, width_px - layout.unit / 3, height_px - layout.unit / 3);
  cairo_stroke(context);
  double y = kMargin * layout.unit;
  for (const Line& line : lines) {
    const double height = line.size * kLineHeight * layout.unit;
    const double width = width_of(context, line, layout.unit);
    cairo_move_to(context, (width_px - width) / 2, y + height * 0.75);
    cairo_show_text(context, line.text.c_str());
    y += height;
  }
}

}  // namespace

std::string mode_line(const msg::Output& output) {
  if (!output.current_mode) return "off";
  const msg::Mode& mode = *output.current_mode;
  std::string text = fmt::format("{}x{}", mode.width_px, mode.height_px);
  if (mode.refresh_mhz != 0) text += fmt::format(" {:g} Hz", std::round(mode.refresh_mhz / 10.0) / 100.0);
  return text;
}

Result<CardImage> draw_identify_card(const IdentifyRequest& request, const msg::Output& output, int scale) {
  std::vector<Line> lines{{request.id, 1.0}, {output.name, 1.4}, {mode_line(output), 0.8}};
  if (!request.text.empty()) lines.push_back({request.text, 1.0});
  double room_width = output.current_mode ? output.current_mode->width_px : 640;
  double room_height = output.current_mode ? output.current_mode->height_px : 480;
  const bool is_turned = static_cast<unsigned>(output.transform) % 2 == 1;
  if (is_turned) std::swap(room_width, room_height);
  constexpr double kPart = 0.9;  // of the screen
  const Layout layout = lay_out(lines, std::min<double>(room_width * kPart, kCardWidthMax),
                                std::min<double>(room_height * kPart, kCardHeightMax));
  CardImage image;
  image.width_px = to_pixels(layout.width, scale, kCardWidthMax);
  image.height_px = to_pixels(layout.height, scale, kCardHeightMax);
  const Surface surface = new_surface(image.width_px, image.height_px);
  const Context context(cairo_create(surface.get()));
  paint(context.get(), lines, layout, image.width_px, image.height_px);
  cairo_surface_flush(surface.get());
  if (cairo_status(context.get()) != CAIRO_STATUS_SUCCESS) {
    return fail(Status::kFailed, fmt::format("the picture for {} can't be drawn: {}", output.name,
                                             cairo_status_to_string(cairo_status(context.get()))));
  }
  const auto row_px = static_cast<std::size_t>(image.width_px);
  const auto stride = static_cast<std::size_t>(cairo_image_surface_get_stride(surface.get()));
  const unsigned char* rows = cairo_image_surface_get_data(surface.get());
  image.pixels.resize(row_px * static_cast<std::size_t>(image.height_px));
  for (std::size_t y = 0; y < static_cast<std::size_t>(image.height_px); ++y) {
    std::memcpy(&image.pixels[y * row_px], rows + y * stride, row_px * sizeof(std::uint32_t));
  }
  return image;
}

}  // namespace compositord::agent
