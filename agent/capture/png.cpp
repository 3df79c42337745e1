#include "agent/capture/png.h"

#include <png.h>

#include <bit>
#include <csetjmp>
#include <exception>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

// A screen is mostly flat: this level makes files a few per cent larger than the usual 6, in half the time.
constexpr int kCompressionLevel = 3;

struct Sink {
  std::string bytes;
  std::size_t bytes_max = 0;
  bool is_full = false;
  std::string error;
};

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  static_cast<Sink*>(png_get_error_ptr(png))->error = text;
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

// No exception may pass through libpng.
bool append(Sink& sink, png_const_bytep data, std::size_t size) noexcept {
  try {
    sink.bytes.append(reinterpret_cast<const char*>(data), size);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void on_write(png_structp png, png_bytep data, std::size_t size) {
  Sink& sink = *static_cast<Sink*>(png_get_io_ptr(png));
  sink.is_full = size > sink.bytes_max - sink.bytes.size();
  if (sink.is_full) png_error(png, "too large");
  if (!append(sink, data, size)) png_error(png, "no memory");
}

void on_flush(png_structp) {}

struct Writer {
  explicit Writer(Sink& sink)
      : png(png_create_write_struct(PNG_LIBPNG_VER_STRING, &sink, on_error, on_warning)),
        info(png == nullptr ? nullptr : png_create_info_struct(png)) {
    if (png != nullptr) png_set_write_fn(png, &sink, on_write, on_flush);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { png_destroy_write_struct(&png, &info); }

  png_structp png;
  png_infop info;
};

enum class Written { kAll, kStopped, kFailed };

// libpng comes back from an error with longjmp(): nothing here may have a destructor.
Written write_image(png_structp png, png_infop info, const Image& image, const std::stop_token& stop) {
  if (setjmp(png_jmpbuf(png)) != 0) return Written::kFailed;  // NOLINT(cert-err52-cpp): libpng's only way
  png_set_IHDR(png, info, image.width_px, image.height_px, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(png, kCompressionLevel);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FAST_FILTERS);
  png_write_info(png, info);
  // Our words in memory: blue, green, red, nothing; or the other way round.
  if constexpr (std::endian::native == std::endian::little) {
    png_set_filler(png, 0, PNG_FILLER_AFTER);
    png_set_bgr(png);
  } else {
    png_set_filler(png, 0, PNG_FILLER_BEFORE);
  }
  for (std::uint32_t y = 0; y < image.height_px; ++y) {
    if (stop.stop_requested()) return Written::kStopped;
    png_write_row(png, reinterpret_cast<png_const_bytep>(image.row(y)));
  }
  png_write_end(png, nullptr);
  return Written::kAll;
}

}  // namespace

Result<std::string> encode_png(const Image& image, std::size_t bytes_max, const std::stop_token& stop) {
  Sink sink;
  sink.bytes_max = bytes_max;
  const Writer writer(sink);
  if (writer.info == nullptr) return fail(Status::kFailed, "libpng does not begin: no memory, or another version");
  switch (write_image(writer.png, writer.info, image, stop)) {
    case Written::kAll: return std::move(sink.bytes);
    case Written::kStopped: return fail(Status::kGone, "nobody waits for the picture any more");
    case Written::kFailed: break;
  }
  if (sink.is_full) {
    return fail(Status::kTooLarge, fmt::format("the PNG has more than {} MiB; ask for one output, or for a thumbnail "
                                               "with max_width",
                                               bytes_max >> 20U));
  }
  return fail(Status::kFailed, "the PNG could not be written: " + sink.error);
}

}  // namespace compositord::agent
