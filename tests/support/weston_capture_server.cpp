#include "tests/support/weston_capture_server.h"

#include <wayland-server-protocol.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace compositord::test {

struct WestonCaptureServer::Impl {
  Look look;
  Behave behave;
  int bound = 0;
  int captures = 0;
};

namespace {

enum SourceEvent : std::uint32_t { kFormat, kSize, kComplete, kRetry, kFailed, kFormatsDone };
constexpr std::uint32_t kFramebuffer = 1;
constexpr std::uint32_t kXrgb8888 = 0x3432'5258;
constexpr std::uint32_t kXbgr8888 = 0x3432'4258;
constexpr std::uint32_t kRgb565 = 0x3631'4752;

const wl_interface& source_interface() {
  static std::array<const wl_interface*, 2> no_types{};
  static std::array<const wl_interface*, 1> buffer{&wl_buffer_interface};
  static const std::array<wl_message, 2> requests{{{"destroy", "", nullptr}, {"capture", "o", buffer.data()}}};
  static const std::array<wl_message, 6> events{{{"format", "u", no_types.data()},
                                                 {"size", "ii", no_types.data()},
                                                 {"complete", "", nullptr},
                                                 {"retry", "", nullptr},
                                                 {"failed", "?s", no_types.data()},
                                                 {"formats_done", "2", nullptr}}};
  static const wl_interface interface { "weston_capture_source_v1", 2, 2, requests.data(), 6, events.data() };
  return interface;
}

const wl_interface& factory_interface() {
  static std::array<const wl_interface*, 3> create{&wl_output_interface, nullptr, &source_interface()};
  static const std::array<wl_message, 2> requests{{{"destroy", "", nullptr}, {"create", "oun", create.data()}}};
  static const wl_interface interface { "weston_capture_v1", 2, 2, requests.data(), 0, nullptr };
  return interface;
}

const wl_interface& screenshooter_interface() {
  static std::array<const wl_interface*, 2> types{&wl_output_interface, &wl_buffer_interface};
  static const wl_message request{"take_shot", "oo", types.data()};
  static const wl_message event{"done", "", nullptr};
  static const wl_interface interface { "weston_screenshooter", 1, 1, &request, 1, &event };
  return interface;
}

struct FactoryRequests {
  void (*destroy)(wl_client*, wl_resource*);
  void (*create)(wl_client*, wl_resource*, wl_resource* output, std::uint32_t source, std::uint32_t id);
};
struct SourceRequests {
  void (*destroy)(wl_client*, wl_resource*);
  void (*capture)(wl_client*, wl_resource*, wl_resource* buffer);
};
struct ShooterRequests {
  void (*take_shot)(wl_client*, wl_resource*, wl_resource* output, wl_resource* buffer);
};

void destroy_resource(wl_client*, wl_resource* resource) { wl_resource_destroy(resource); }

void punish(wl_client*, wl_resource* shooter, wl_resource*, wl_resource*) {
  wl_resource_post_error(shooter, 0, "permission denied. Debug protocol must be enabled");
}
void bind_screenshooter(wl_client* client, void*, std::uint32_t version, std::uint32_t id) {
  static const ShooterRequests kRequests{punish};
  wl_resource* shooter = wl_resource_create(client, &screenshooter_interface(), static_cast<int>(version), id);
  wl_resource_set_implementation(shooter, &kRequests, nullptr, nullptr);
}

void fill(wl_shm_buffer* buffer, std::uint32_t colour) {
  const auto pixels = static_cast<std::size_t>(wl_shm_buffer_get_width(buffer)) *
                      static_cast<std::size_t>(wl_shm_buffer_get_height(buffer));
  wl_shm_buffer_begin_access(buffer);
  std::fill_n(static_cast<std::uint32_t*>(wl_shm_buffer_get_data(buffer)), pixels, colour);
  wl_shm_buffer_end_access(buffer);
}

// Blue and red change places.
std::uint32_t as_bgr(std::uint32_t colour) {
  return (colour & 0x00'ff00U) | (colour >> 16U & 0xffU) | (colour & 0xffU) << 16U;
}

}  // namespace

// One weston_capture_source_v1.
struct CaptureRequests {
  using Server = WestonCaptureServer::Impl;

  struct Source {
    Server* server = nullptr;
    CapturedOutput output;
    wl_resource* resource = nullptr;
    std::uint32_t format = kXrgb8888;
    int attempts = 0;
  };

  static void bind(wl_client* client, void* data, std::uint32_t version, std::uint32_t id) {
    static const FactoryRequests kRequests{destroy_resource, create};
    ++static_cast<Server*>(data)->bound;
    wl_resource* factory = wl_resource_create(client, &factory_interface(), static_cast<int>(version), id);
    wl_resource_set_implementation(factory, &kRequests, data, nullptr);
  }
  static void create(wl_client* client, wl_resource* factory, wl_resource* output, std::uint32_t pixels,
                     std::uint32_t id) {
    static const SourceRequests kRequests{destroy_resource, capture};
    auto* server = static_cast<Server*>(wl_resource_get_user_data(factory));
    auto source = std::make_unique<Source>(Source{server, server->look(output)});
    source->resource = wl_resource_create(client, &source_interface(), wl_resource_get_version(factory), id);
    if (pixels != kFramebuffer) {  // the only one that this one has
      wl_resource_post_error(factory, 0, "%u is not a valid source", pixels);
    }
    describe_first(*source, server->behave());
    wl_resource* resource = source->resource;
    wl_resource_set_implementation(resource, &kRequests, source.release(), [](wl_resource* gone) {
      delete static_cast<Source*>(wl_resource_get_user_data(gone));
    });
  }
  static void describe_first(Source& source, const std::string& how) {
    if (how == "off") return;
    if (how == "nonsense") source.output.width_px = -1;
    if (how == "huge") source.output.width_px = source.output.height_px = 16'384;
    if (how == "huge_together") {
      source.output.width_px = 8'000;
      source.output.height_px = 5'000;
    }
    if (how == "huge_again") {
      source.output.width_px = 6'000;
      source.output.height_px = 5'000;
    }
    if (how == "strange" || how == "picky") say_format(source, kRgb565);
    if (how == "picky") say_format(source, kXbgr8888);
    if (how != "strange" && how != "picky") say_format(source, kXrgb8888);
    say_size(source);
    if (how == "hasty") wl_resource_post_event(source.resource, kComplete);
  }
  static void say_format(Source& source, std::uint32_t format) {
    source.format = format;
    wl_resource_post_event(source.resource, kFormat, format);
  }
  static void say_size(const Source& source) {
    if (wl_resource_get_version(source.resource) >= 2) wl_resource_post_event(source.resource, kFormatsDone);
    wl_resource_post_event(source.resource, kSize, source.output.width_px, source.output.height_px);
  }
  static bool is_compatible(const Source& source, wl_shm_buffer* buffer) {
    const std::uint32_t format = source.format == kXrgb8888 ? std::uint32_t{WL_SHM_FORMAT_XRGB8888} : source.format;
    return buffer != nullptr && wl_shm_buffer_get_width(buffer) == source.output.width_px &&
           wl_shm_buffer_get_height(buffer) == source.output.height_px &&
           wl_shm_buffer_get_stride(buffer) == source.output.width_px * 4 && wl_shm_buffer_get_format(buffer) == format;
  }
  static void capture(wl_client*, wl_resource* resource, wl_resource* buffer_resource) {
    auto& source = *static_cast<Source*>(wl_resource_get_user_data(resource));
    const std::string how = source.server->behave();
    ++source.server->captures;
    if (how == "mute" || how == "huge_together") return;
    if (how == "denies") return wl_resource_post_event(resource, kFailed, "unauthorized");
    if (how == "fails") return wl_resource_post_event(resource, kFailed, "no GPU\nat all");
    if (how == "silent_fail") return wl_resource_post_event(resource, kFailed, nullptr);
    const bool is_first = source.attempts++ == 0;
    if (how == "huge_again" && is_first) wl_resource_post_event(resource, kRetry);
    if (how == "huge_again") return;
    if (how == "resizes_on" || (how == "resizes" && is_first)) {
      source.output.width_px *= 2;
      say_format(source, source.format);
      say_size(source);
    }
    if (how == "reformats" && is_first) {
      say_format(source, kXbgr8888);
      say_size(source);
    }
    wl_shm_buffer* buffer = wl_shm_buffer_get(buffer_resource);
    if (!is_compatible(source, buffer)) return wl_resource_post_event(resource, kRetry);
    fill(buffer, source.format == kXbgr8888 ? as_bgr(source.output.colour) : source.output.colour);
    wl_resource_post_event(resource, kComplete);
  }
};

WestonCaptureServer::WestonCaptureServer(wl_display* display, std::uint32_t version, Look look, Behave behave)
    : impl_(std::make_unique<Impl>(Impl{std::move(look), std::move(behave)})) {
  wl_display_add_shm_format(display, kXbgr8888);
  wl_global_create(display, &factory_interface(), static_cast<int>(version), impl_.get(), CaptureRequests::bind);
}

// The global ends with the display.
WestonCaptureServer::~WestonCaptureServer() = default;

int WestonCaptureServer::bound() const noexcept { return impl_->bound; }
int WestonCaptureServer::captures() const noexcept { return impl_->captures; }

void offer_punishing_screenshooter(wl_display* display) {
  wl_global_create(display, &screenshooter_interface(), 1, nullptr, bind_screenshooter);
}

}  // namespace compositord::test
