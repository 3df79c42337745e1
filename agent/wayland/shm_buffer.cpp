#include "agent/wayland/shm_buffer.h"

#include <wayland-client.h>

#include <limits>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

// The code of a format as text, "XB24", where it has one.
std::string name_of_format(std::uint32_t format) {
  std::string name;
  for (int i = 0; i < 4; ++i) {
    const auto letter = static_cast<char>(format >> (8 * i) & 0xffU);
    if (letter < ' ' || letter > '~') return fmt::format("0x{:08x}", format);
    name += letter;
  }
  return name;
}

}  // namespace

std::optional<PixelLayout> layout_of_format(std::uint32_t shm_format) {
  switch (shm_format) {
    case WL_SHM_FORMAT_ARGB8888:
    case WL_SHM_FORMAT_XRGB8888: return PixelLayout{16, 8, 0, 8};
    case WL_SHM_FORMAT_ABGR8888:
    case WL_SHM_FORMAT_XBGR8888: return PixelLayout{0, 8, 16, 8};
    case WL_SHM_FORMAT_RGBA8888:
    case WL_SHM_FORMAT_RGBX8888: return PixelLayout{24, 16, 8, 8};
    case WL_SHM_FORMAT_BGRA8888:
    case WL_SHM_FORMAT_BGRX8888: return PixelLayout{8, 16, 24, 8};
    case WL_SHM_FORMAT_ARGB2101010:
    case WL_SHM_FORMAT_XRGB2101010: return PixelLayout{20, 10, 0, 10};
    case WL_SHM_FORMAT_ABGR2101010:
    case WL_SHM_FORMAT_XBGR2101010: return PixelLayout{0, 10, 20, 10};
    default: return std::nullopt;
  }
}

Result<ShmBuffer> ShmBuffer::create(wl_shm* shm, std::uint32_t width_px, std::uint32_t height_px,
                                    std::uint32_t stride_bytes, std::uint32_t format) {
  const auto layout = layout_of_format(format);
  if (!layout) {
    return fail(Status::kFailed,
                fmt::format("its pixels are in the format {}, which this agent does not read", name_of_format(format)));
  }
  if (width_px == 0 || height_px == 0 || std::uint64_t{width_px} * 4 > stride_bytes) {
    return fail(Status::kFailed, fmt::format("it describes a picture that can't be: {}x{} px in rows of {} bytes",
                                             width_px, height_px, stride_bytes));
  }
  const std::uint64_t bytes = std::uint64_t{stride_bytes} * height_px;
  if (bytes / 4 > kShotPixelsMax) {
    return fail(Status::kTooLarge, fmt::format("it has {}x{} px, and {} Mpx are allowed", width_px, height_px,
                                               kShotPixelsMax / 1'000'000));
  }
  auto memory = PixelMemory::create(bytes);
  if (!memory) return tl::unexpected(memory.error());
  wl_shm_pool* pool = wl_shm_create_pool(shm, memory->fd(), static_cast<std::int32_t>(bytes));
  if (pool == nullptr) return fail(Status::kFailed, "no memory for a pool of pixels");
  wl_buffer* proxy =
      wl_shm_pool_create_buffer(pool, 0, static_cast<std::int32_t>(width_px), static_cast<std::int32_t>(height_px),
                                static_cast<std::int32_t>(stride_bytes), format);
  wl_shm_pool_destroy(pool);
  if (proxy == nullptr) return fail(Status::kFailed, "no memory for a buffer");
  return ShmBuffer(proxy, Pixels{std::move(*memory), width_px, height_px, stride_bytes, *layout, false});
}

ShmBuffer::ShmBuffer(wl_buffer* proxy, Pixels pixels) : proxy_(proxy), pixels_(std::move(pixels)) {}

ShmBuffer::ShmBuffer(ShmBuffer&& other) noexcept
    : proxy_(std::exchange(other.proxy_, nullptr)), pixels_(std::move(other.pixels_)) {}

ShmBuffer::~ShmBuffer() {
  if (proxy_ != nullptr) wl_buffer_destroy(proxy_);
}

}  // namespace compositord::agent
