#include "agent/capture/layout.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

// The part of the logical space that all pictures cover together. In double, so that no place can overflow.
struct Bounds {
  double left = 0;
  double top = 0;
  double width = 0;
  double height = 0;
};

Bounds bounds_of(const std::vector<Picture>& pictures) {
  const LogicalRect& first = pictures.front().place;
  double left = first.x;
  double top = first.y;
  double right = left;
  double bottom = top;
  for (const Picture& picture : pictures) {
    const LogicalRect& place = picture.place;
    left = std::min(left, static_cast<double>(place.x));
    top = std::min(top, static_cast<double>(place.y));
    right = std::max(right, static_cast<double>(place.x) + place.width);
    bottom = std::max(bottom, static_cast<double>(place.y) + place.height);
  }
  return {left, top, right - left, bottom - top};
}

// Pixels per logical unit, of the picture that has most of them.
double greatest_scale(const std::vector<Picture>& pictures) {
  double scale = 0;
  for (const Picture& picture : pictures) {
    if (picture.place.width > 0) {
      scale = std::max(scale, static_cast<double>(upright_size(picture).width_px) / picture.place.width);
    }
  }
  return scale;
}

double shrink_factor(double width, double height, const ScreenshotRequest& request) {
  double factor = 1;
  if (request.max_width_px) factor = std::min(factor, *request.max_width_px / width);
  if (request.max_height_px) factor = std::min(factor, *request.max_height_px / height);
  return factor;
}

std::uint32_t rounded(double px) { return static_cast<std::uint32_t>(std::max(0.0, std::round(px))); }
std::uint32_t side(double px) { return std::max(1U, rounded(px)); }

Result<void> check_size(double width, double height) {
  if (width * height <= static_cast<double>(kShotPixelsMax)) return {};
  return fail(
      Status::kTooLarge,
      fmt::format("the picture would have {:.0f}x{:.0f} px, and {} Mpx are allowed; ask for one output, or for a "
                  "thumbnail with max_width",
                  width, height, kShotPixelsMax / 1'000'000));
}

// A logical size is rounded, so a side may come out a pixel off; then the picture's own is the right one, and nothing blurs.
std::uint32_t snapped(std::uint32_t side_px, std::uint32_t own_px) {
  return std::max(side_px, own_px) - std::min(side_px, own_px) <= 1 ? own_px : side_px;
}

Result<ShotLayout> lay_out_one(const Size& own, const ScreenshotRequest& request) {
  const double factor = shrink_factor(own.width_px, own.height_px, request);
  const Size size{side(own.width_px * factor), side(own.height_px * factor)};
  if (auto fits = check_size(size.width_px, size.height_px); !fits) return tl::unexpected(fits.error());
  return ShotLayout{size, {Rect{0, 0, size.width_px, size.height_px}}};
}

}  // namespace

Result<ShotLayout> lay_out(const Shot& shot, const ScreenshotRequest& request) {
  if (shot.pictures.empty()) return fail(Status::kFailed, "there is no output to take a screenshot of");
  if (shot.pictures.size() == 1) return lay_out_one(upright_size(shot.pictures.front()), request);
  const Bounds bounds = bounds_of(shot.pictures);
  const double full = greatest_scale(shot.pictures);
  if (bounds.width <= 0 || bounds.height <= 0 || full <= 0) {
    return fail(Status::kFailed, "the outputs have no places in the layout; ask for one output");
  }
  const double factor = shrink_factor(bounds.width * full, bounds.height * full, request);
  const double scale = full * factor;
  if (auto fits = check_size(bounds.width * scale, bounds.height * scale); !fits) return tl::unexpected(fits.error());
  ShotLayout layout;
  layout.size = Size{side(bounds.width * scale), side(bounds.height * scale)};
  for (const Picture& picture : shot.pictures) {
    const LogicalRect& place = picture.place;
    const Size own = upright_size(picture);
    const double left = (place.x - bounds.left) * scale;
    const double top = (place.y - bounds.top) * scale;
    Rect rect{rounded(left), rounded(top), 0, 0};
    rect.width_px = snapped(side(rounded(left + place.width * scale) - rect.x), own.width_px);
    rect.height_px = snapped(side(rounded(top + place.height * scale) - rect.y), own.height_px);
    layout.rects.push_back(rect);
  }
  return layout;
}

}  // namespace compositord::agent
