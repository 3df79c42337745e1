#include "agent/wayland/weston_capture.h"

#include <wayland-client.h>

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent {

namespace {

// Version 2 adds one event at the end, formats_done, which says nothing that the answer to a round trip does not say too, and
// a source that is no screen's picture: so this is version 1 with all of them, as it is in weston's own client.
constexpr std::uint32_t kVersion = 1;

// Opcodes of the requests; `destroy` is the same in both interfaces.
constexpr std::uint32_t kDestroy = 0;
constexpr std::uint32_t kCreate = 1;
constexpr std::uint32_t kCapture = 1;

// Of the sources, `framebuffer` is what the output shows and always there. `writeback` (0) needs hardware that can, and
// `full_framebuffer` (2) has the decorations of a window in which weston runs around it.
constexpr std::uint32_t kFramebuffer = 1;

// A size that changes with each attempt is no size.
constexpr int kAttemptsMax = 5;
constexpr std::string_view kUnauthorized = "unauthorized";
constexpr std::size_t kReasonMax = 200;

// The interfaces as libwayland wants them described: a letter and a type for each argument, none where it is no object.
const wl_interface& source_interface() {
  static std::array<const wl_interface*, 2> no_types{};
  static std::array<const wl_interface*, 1> capture_types{&wl_buffer_interface};
  static const std::array<wl_message, 2> requests{{{"destroy", "", nullptr}, {"capture", "o", capture_types.data()}}};
  static const std::array<wl_message, 5> events{{{"format", "u", no_types.data()},
                                                 {"size", "ii", no_types.data()},
                                                 {"complete", "", nullptr},
                                                 {"retry", "", nullptr},
                                                 {"failed", "?s", no_types.data()}}};
  static const wl_interface interface { "weston_capture_source_v1", kVersion, 2, requests.data(), 5, events.data() };
  return interface;
}

const wl_interface& factory_interface() {
  static std::array<const wl_interface*, 3> create_types{&wl_output_interface, nullptr, &source_interface()};
  static const std::array<wl_message, 2> requests{{{"destroy", "", nullptr}, {"create", "oun", create_types.data()}}};
  static const wl_interface interface { WestonCapture::kInterface, kVersion, 2, requests.data(), 0, nullptr };
  return interface;
}

// In the order of the events.
struct SourceListener {
  void (*format)(void* data, wl_proxy*, std::uint32_t drm_format);
  void (*size)(void* data, wl_proxy*, std::int32_t width_px, std::int32_t height_px);
  void (*complete)(void* data, wl_proxy*);
  void (*retry)(void* data, wl_proxy*);
  void (*failed)(void* data, wl_proxy*, const char* why);
};

void destroy(wl_proxy* proxy) {
  wl_proxy_marshal_array_flags(proxy, kDestroy, nullptr, wl_proxy_get_version(proxy), WL_MARSHAL_FLAG_DESTROY, nullptr);
}

wl_proxy* create_source(wl_proxy* factory, wl_output* output) {
  std::array<wl_argument, 3> arguments{};
  arguments[0].o = reinterpret_cast<wl_object*>(output);
  arguments[1].u = kFramebuffer;
  return wl_proxy_marshal_array_flags(factory, kCreate, &source_interface(), wl_proxy_get_version(factory), 0,
                                      arguments.data());
}

// wl_shm calls two formats by numbers of its own, and all others as DRM does.
std::uint32_t shm_format_of(std::uint32_t drm_format) {
  constexpr std::uint32_t kArgb8888 = 0x3432'5241;  // "AR24"
  constexpr std::uint32_t kXrgb8888 = 0x3432'5258;  // "XR24"
  if (drm_format == kArgb8888) return WL_SHM_FORMAT_ARGB8888;
  return drm_format == kXrgb8888 ? std::uint32_t{WL_SHM_FORMAT_XRGB8888} : drm_format;
}

class CaptureShot final : public OutputShot {
 public:
  CaptureShot(wl_display* display, wl_proxy* factory, ShotBuffers& buffers, wl_output* output) : buffers_(buffers) {
    if (factory != nullptr && output != nullptr) source_ = create_source(factory, output);
    // What the compositor wants is described when this is answered; when it was not, there is nothing to be had.
    if (source_ != nullptr) described_ = wl_display_sync(display);
    if (described_ == nullptr) {
      end(fail(Status::kFailed, "no memory to ask for its picture"));
      return;
    }
    wl_callback_add_listener(described_, &kDescribed, this);
    // libwayland takes a table of functions of any kind, and calls them as the interface describes them.
    auto* table = const_cast<SourceListener*>(&kEvents);
    wl_proxy_add_listener(source_, reinterpret_cast<void (**)()>(table), this);
  }
  CaptureShot(const CaptureShot&) = delete;
  CaptureShot& operator=(const CaptureShot&) = delete;
  ~CaptureShot() override {
    if (described_ != nullptr) wl_callback_destroy(described_);
    if (source_ != nullptr) destroy(source_);  // cancels what is under way, before the buffer goes
  }

 private:
  static CaptureShot& self(void* data) { return *static_cast<CaptureShot*>(data); }

  static void on_described(void* data, wl_callback*, std::uint32_t) {
    CaptureShot& shot = self(data);
    wl_callback_destroy(std::exchange(shot.described_, nullptr));
    if (!shot.outcome()) shot.capture();
  }
  // Any of several formats will do; the first that we can read.
  static void on_format(void* data, wl_proxy*, std::uint32_t drm_format) {
    CaptureShot& shot = self(data);
    const std::uint32_t format = shm_format_of(drm_format);
    const bool has_one = !std::exchange(shot.formats_used_, false) && shot.format_;
    if (!has_one || !layout_of_format(*shot.format_)) shot.format_ = format;
  }
  static void on_size(void* data, wl_proxy*, std::int32_t width_px, std::int32_t height_px) {
    self(data).width_px_ = width_px;
    self(data).height_px_ = height_px;
  }
  static void on_complete(void* data, wl_proxy*) {
    CaptureShot& shot = self(data);
    if (!shot.take_answer()) return;
    shot.end(shot.buffer_->take_pixels());
  }
  static void on_retry(void* data, wl_proxy*) {
    CaptureShot& shot = self(data);
    if (!shot.take_answer()) return;
    shot.buffers_.give_back(*shot.buffer_);
    shot.buffer_.reset();
    if (shot.attempts_ >= kAttemptsMax) {
      return shot.end(fail(Status::kFailed, "its size or format changes faster than it can be copied"));
    }
    shot.capture();
  }
  static void on_failed(void* data, wl_proxy*, const char* why) {
    CaptureShot& shot = self(data);
    const std::string_view reason = why == nullptr ? std::string_view("without a reason") : std::string_view(why);
    if (reason == kUnauthorized) return shot.end(fail(Status::kUnsupported, std::string(reason)));
    shot.end(fail(Status::kFailed, fmt::format("the copy failed: {}", escape_for_log(reason, kReasonMax))));
  }

  // Whether an answer to an attempt is awaited. One that nobody awaits ends it.
  bool take_answer() {
    if (outcome()) return false;
    if (!std::exchange(is_capturing_, false)) {
      end(fail(Status::kFailed, "an answer to what nobody asked for"));
      return false;
    }
    return true;
  }

  void capture() {
    if (!format_ || (width_px_ == 0 && height_px_ == 0)) {
      return end(fail(Status::kFailed, "the compositor has no picture of it; is it switched off?"));
    }
    if (width_px_ <= 0 || height_px_ <= 0) {
      return end(
          fail(Status::kFailed, fmt::format("it describes a picture that can't be: {}x{} px", width_px_, height_px_)));
    }
    const auto width = static_cast<std::uint32_t>(width_px_);
    const auto height = static_cast<std::uint32_t>(height_px_);
    // Before anything is reckoned in 32 bits.
    if (std::uint64_t{width} * height > kShotPixelsMax) {
      return end(fail(Status::kTooLarge, fmt::format("it has {}x{} px, and {} Mpx are allowed", width, height,
                                                     kShotPixelsMax / 1'000'000)));
    }
    auto buffer = buffers_.make(width, height, width * 4, *format_);  // rows without padding, or it is refused
    if (!buffer) return end(tl::unexpected(buffer.error()));
    buffer_.emplace(std::move(*buffer));
    formats_used_ = true;
    is_capturing_ = true;
    ++attempts_;
    wl_argument argument{};
    argument.o = reinterpret_cast<wl_object*>(buffer_->proxy());
    wl_proxy_marshal_array_flags(source_, kCapture, nullptr, kVersion, 0, &argument);
  }

  static constexpr wl_callback_listener kDescribed{on_described};
  static constexpr SourceListener kEvents{on_format, on_size, on_complete, on_retry, on_failed};

  ShotBuffers& buffers_;
  wl_proxy* source_ = nullptr;
  wl_callback* described_ = nullptr;
  std::optional<std::uint32_t> format_;  // as wl_shm numbers it
  bool formats_used_ = false;            // the next one that is told begins a new list
  std::int32_t width_px_ = 0;
  std::int32_t height_px_ = 0;
  std::optional<ShmBuffer> buffer_;
  bool is_capturing_ = false;  // "sequence" is a protocol error: never two at a time
  int attempts_ = 0;
};

}  // namespace

WestonCapture::WestonCapture(wl_display* display, wl_registry* registry, std::uint32_t global_name, wl_shm* shm)
    : display_(display), buffers_(shm) {
  factory_ = static_cast<wl_proxy*>(wl_registry_bind(registry, global_name, &factory_interface(), kVersion));
}

WestonCapture::~WestonCapture() {
  if (factory_ != nullptr) destroy(factory_);
}

std::unique_ptr<OutputShot> WestonCapture::shoot(const PlacedOutput& output) {
  return std::make_unique<CaptureShot>(display_, factory_, buffers_, output.proxy);
}

}  // namespace compositord::agent
