#include "agent/capture/image.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace compositord::agent {

namespace {

bool is_quarter_turned(msg::Transform transform) { return (static_cast<unsigned>(transform) & 1U) != 0; }

// The pixel of the picture that stands at (x, y) of the upright image, which is `size`.
// Source: wayland.xml, wl_output.transform: turns are counter-clockwise, and a flip around the vertical axis comes first.
std::pair<std::uint32_t, std::uint32_t> source_of(msg::Transform transform, const Size& size, std::uint32_t x,
                                                  std::uint32_t y) {
  const std::uint32_t from_right = size.width_px - 1 - x;
  const std::uint32_t from_bottom = size.height_px - 1 - y;
  switch (transform) {
    case msg::Transform::k0: return {x, y};
    case msg::Transform::k90: return {y, from_right};
    case msg::Transform::k180: return {from_right, from_bottom};
    case msg::Transform::k270: return {from_bottom, x};
    case msg::Transform::kFlipped: return {from_right, y};
    case msg::Transform::kFlipped90: return {y, x};
    case msg::Transform::kFlipped180: return {x, from_bottom};
    case msg::Transform::kFlipped270: return {from_bottom, from_right};
  }
  return {x, y};
}

std::uint32_t word_at(const unsigned char* bytes) {
  return std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8U | std::uint32_t{bytes[2]} << 16U |
         std::uint32_t{bytes[3]} << 24U;
}

std::uint32_t colour_of(std::uint32_t word, const PixelLayout& layout) {
  const unsigned unused = layout.bits - 8U;
  const auto channel = [&](unsigned shift) { return (word >> (shift + unused)) & 0xffU; };
  return channel(layout.red_shift) << 16U | channel(layout.green_shift) << 8U | channel(layout.blue_shift);
}

std::uint32_t pixel_at(const Pixels& pixels, std::uint32_t x, std::uint32_t y) {
  const std::uint32_t row = pixels.bottom_up ? pixels.height_px - 1 - y : y;
  return colour_of(word_at(pixels.memory.data() + std::size_t{row} * pixels.stride_bytes + std::size_t{x} * 4),
                   pixels.layout);
}

// The pixels of a line that one pixel of a longer or shorter line covers, and how much of the first and the last.
struct Span {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  float first_weight = 0;
  float last_weight = 0;

  float weight(std::uint32_t i) const noexcept { return i == first ? first_weight : i == last ? last_weight : 1.0F; }
};

std::vector<Span> spans(std::uint32_t from, std::uint32_t to) {
  std::vector<Span> list(to);
  const double ratio = static_cast<double>(from) / to;
  for (std::uint32_t i = 0; i < to; ++i) {
    const double begin = i * ratio;
    const double end = std::min((i + 1) * ratio, static_cast<double>(from));
    Span& span = list[i];
    span.first = std::min(static_cast<std::uint32_t>(begin), from - 1);
    // An end right at a pixel's edge covers nothing of that pixel.
    span.last = std::clamp(static_cast<std::uint32_t>(std::ceil(end - 1e-9)) - 1, span.first, from - 1);
    if (span.first == span.last) {
      span.first_weight = span.last_weight = 1;
    } else {
      span.first_weight = static_cast<float>(span.first + 1 - begin);
      span.last_weight = static_cast<float>(end - span.last);
    }
  }
  return list;
}

struct Colour {
  float red = 0;
  float green = 0;
  float blue = 0;

  void add(const Colour& other, float weight) noexcept {
    red += weight * other.red;
    green += weight * other.green;
    blue += weight * other.blue;
  }
};

Colour colour_at(std::uint32_t pixel) {
  return {static_cast<float>(pixel >> 16U & 0xffU), static_cast<float>(pixel >> 8U & 0xffU),
          static_cast<float>(pixel & 0xffU)};
}

std::uint32_t mean_pixel(const Colour& sum, float weight) {
  const auto channel = [&](float value) {
    return std::min(static_cast<std::uint32_t>(std::lround(value / weight)), std::uint32_t{0xff});
  };
  return channel(sum.red) << 16U | channel(sum.green) << 8U | channel(sum.blue);
}

// One row of the result: the covered rows are added up first, then the covered columns of their sum.
void draw_row(const Image& from, const Span& rows, const std::vector<Span>& columns, std::vector<Colour>& sums,
              std::uint32_t* to) {
  std::fill(sums.begin(), sums.end(), Colour{});
  float rows_weight = 0;
  for (std::uint32_t y = rows.first; y <= rows.last; ++y) {
    const std::uint32_t* row = from.row(y);
    const float weight = rows.weight(y);
    rows_weight += weight;
    for (std::uint32_t x = 0; x < from.width_px; ++x) sums[x].add(colour_at(row[x]), weight);
  }
  for (const Span& span : columns) {
    Colour sum;
    float weight = 0;
    for (std::uint32_t x = span.first; x <= span.last; ++x) {
      sum.add(sums[x], span.weight(x));
      weight += span.weight(x);
    }
    *to++ = mean_pixel(sum, weight * rows_weight);
  }
}

}  // namespace

Image Image::make(std::uint32_t width_px, std::uint32_t height_px) {
  return Image{width_px, height_px, std::vector<std::uint32_t>(std::size_t{width_px} * height_px)};
}

Size upright_size(const Picture& picture) noexcept {
  const Pixels& pixels = picture.pixels;
  if (is_quarter_turned(picture.transform)) return {pixels.height_px, pixels.width_px};
  return {pixels.width_px, pixels.height_px};
}

Image upright(const Picture& picture, const std::stop_token& stop) {
  const Size size = upright_size(picture);
  Image image = Image::make(size.width_px, size.height_px);
  for (std::uint32_t y = 0; y < size.height_px && !stop.stop_requested(); ++y) {
    std::uint32_t* row = image.row(y);
    for (std::uint32_t x = 0; x < size.width_px; ++x) {
      const auto [source_x, source_y] = source_of(picture.transform, size, x, y);
      row[x] = pixel_at(picture.pixels, source_x, source_y);
    }
  }
  return image;
}

void draw(const Image& from, Image& to, const Rect& rect, const std::stop_token& stop) {
  if (rect.x >= to.width_px || rect.y >= to.height_px || from.pixels.empty()) return;
  const std::uint32_t width_px = std::min(rect.width_px, to.width_px - rect.x);
  const std::uint32_t height_px = std::min(rect.height_px, to.height_px - rect.y);
  const bool same_size = rect.width_px == from.width_px && rect.height_px == from.height_px;
  std::vector<Span> columns = spans(from.width_px, rect.width_px);
  columns.resize(width_px);
  const std::vector<Span> rows = spans(from.height_px, rect.height_px);
  std::vector<Colour> sums(same_size ? 0 : from.width_px);
  for (std::uint32_t y = 0; y < height_px && !stop.stop_requested(); ++y) {
    std::uint32_t* row = to.row(rect.y + y) + rect.x;
    if (same_size) {
      std::copy_n(from.row(y), width_px, row);
    } else {
      draw_row(from, rows[y], columns, sums, row);
    }
  }
}

}  // namespace compositord::agent
