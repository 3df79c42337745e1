#include "tests/support/tiny_compositor.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <wayland-server.h>
#include <wlr-screencopy-unstable-v1-client-protocol.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace compositord::test {

struct TinyCompositor::Impl {
  struct Output {
    Impl* owner = nullptr;
    TinyOutput facts;
    wl_global* global = nullptr;
  };
  wl_display* display = nullptr;
  TinyAnswer answer = TinyAnswer::kPicture;
  std::vector<std::unique_ptr<Output>> outputs;
};

namespace {

// Opcodes of the events, and tables of the requests, in the order of the XML.
enum FrameEvent : std::uint32_t { kBuffer, kFlags, kReady, kFailed, kDamage, kDmabuf, kBufferDone };

struct ManagerRequests {
  void (*capture_output)(wl_client*, wl_resource*, std::uint32_t frame, std::int32_t cursor, wl_resource* output);
  void (*capture_region)(wl_client*, wl_resource*, std::uint32_t, std::int32_t, wl_resource*, std::int32_t,
                         std::int32_t, std::int32_t, std::int32_t);
  void (*destroy)(wl_client*, wl_resource*);
};
struct FrameRequests {
  void (*copy)(wl_client*, wl_resource*, wl_resource* buffer);
  void (*destroy)(wl_client*, wl_resource*);
  void (*copy_with_damage)(wl_client*, wl_resource*, wl_resource* buffer);
};

void destroy_resource(wl_client*, wl_resource* resource) { wl_resource_destroy(resource); }

void fill(wl_shm_buffer* buffer, std::uint32_t colour, bool first_row_is_white) {
  const auto width = static_cast<std::size_t>(wl_shm_buffer_get_width(buffer));
  const auto height = static_cast<std::size_t>(wl_shm_buffer_get_height(buffer));
  auto* data = static_cast<std::uint32_t*>(wl_shm_buffer_get_data(buffer));
  wl_shm_buffer_begin_access(buffer);
  std::fill_n(data, width * height, colour);
  if (first_row_is_white) std::fill_n(data, width, 0x00ff'ffffU);
  wl_shm_buffer_end_access(buffer);
}

}  // namespace

struct TinyRequests {
  using Output = TinyCompositor::Impl::Output;

  static void bind_output(wl_client* client, void* data, std::uint32_t version, std::uint32_t id) {
    static const struct wl_output_interface kRequests { destroy_resource };
    const auto& output = *static_cast<Output*>(data);
    wl_resource* resource = wl_resource_create(client, &wl_output_interface, static_cast<int>(version), id);
    wl_resource_set_implementation(resource, &kRequests, data, nullptr);
    wl_output_send_geometry(resource, 0, 0, 0, 0, 0, "tiny", "tiny", WL_OUTPUT_TRANSFORM_NORMAL);
    wl_output_send_mode(resource, WL_OUTPUT_MODE_CURRENT, output.facts.width_px, output.facts.height_px, 60'000);
    wl_output_send_name(resource, output.facts.name.c_str());
    wl_output_send_done(resource);
  }
  static void bind_manager(wl_client* client, void* data, std::uint32_t version, std::uint32_t id) {
    static const ManagerRequests kRequests{capture_output, nullptr, destroy_resource};
    wl_resource* resource =
        wl_resource_create(client, &zwlr_screencopy_manager_v1_interface, static_cast<int>(version), id);
    wl_resource_set_implementation(resource, &kRequests, data, nullptr);
  }
  static void capture_output(wl_client* client, wl_resource* manager, std::uint32_t id, std::int32_t,
                             wl_resource* output_resource) {
    static const FrameRequests kRequests{copy, destroy_resource, copy};
    auto& output = *static_cast<Output*>(wl_resource_get_user_data(output_resource));
    const int version = wl_resource_get_version(manager);
    wl_resource* frame = wl_resource_create(client, &zwlr_screencopy_frame_v1_interface, version, id);
    wl_resource_set_implementation(frame, &kRequests, &output, nullptr);
    const auto width = static_cast<std::uint32_t>(output.facts.width_px);
    const auto height = static_cast<std::uint32_t>(output.facts.height_px);
    const auto offer = [&](std::uint32_t format, std::uint32_t w, std::uint32_t h, std::uint32_t stride) {
      wl_resource_post_event(frame, kBuffer, format, w, h, stride);
      if (version >= 3) wl_resource_post_event(frame, kBufferDone);
    };
    switch (output.owner->answer) {
      case TinyAnswer::kPicture:
      case TinyAnswer::kBottomUpPicture:
      case TinyAnswer::kFails: return offer(WL_SHM_FORMAT_XRGB8888, width, height, width * 4);
      case TinyAnswer::kUnknownFormat: return offer(WL_SHM_FORMAT_NV12, width, height, width * 4);
      case TinyAnswer::kNoSharedMemory: return wl_resource_post_event(frame, kBufferDone);
      case TinyAnswer::kTooLarge: return offer(WL_SHM_FORMAT_XRGB8888, 16'384, 16'384, 65'536);
      case TinyAnswer::kTooLargeTogether: return offer(WL_SHM_FORMAT_XRGB8888, 8'000, 5'000, 32'000);
      case TinyAnswer::kNonsense: return offer(WL_SHM_FORMAT_XRGB8888, width, height, width * 4 - 1);
      case TinyAnswer::kReadyTooEarly: return wl_resource_post_event(frame, kReady, 0U, 0U, 0U);
      case TinyAnswer::kOutputVanishes:
        if (output.global != nullptr) wl_global_destroy(std::exchange(output.global, nullptr));
        return;
      case TinyAnswer::kNothing: return;
      case TinyAnswer::kClosesConnection: ::shutdown(wl_client_get_fd(client), SHUT_RDWR); return;
    }
  }
  static void copy(wl_client*, wl_resource* frame, wl_resource* buffer) {
    const auto& output = *static_cast<Output*>(wl_resource_get_user_data(frame));
    const bool bottom_up = output.owner->answer == TinyAnswer::kBottomUpPicture;
    if (output.owner->answer == TinyAnswer::kFails) return wl_resource_post_event(frame, kFailed);
    if (output.owner->answer == TinyAnswer::kTooLargeTogether) return;
    fill(wl_shm_buffer_get(buffer), output.facts.colour, bottom_up);
    wl_resource_post_event(frame, kFlags, bottom_up ? 1U : 0U);
    wl_resource_post_event(frame, kReady, 0U, 0U, 0U);
  }
};

TinyCompositor::TinyCompositor(const std::string& path, std::vector<TinyOutput> outputs, TinyAnswer answer,
                               std::uint32_t screencopy_version)
    : impl_(std::make_unique<Impl>()) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("the socket's path is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool listens =
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(fd, 4) == 0;
  impl_->display = wl_display_create();
  if (!listens || wl_display_add_socket_fd(impl_->display, fd) != 0) throw std::runtime_error("no socket");
  impl_->answer = answer;
  wl_display_init_shm(impl_->display);
  if (screencopy_version > 0) {
    wl_global_create(impl_->display, &zwlr_screencopy_manager_v1_interface, static_cast<int>(screencopy_version),
                     nullptr, TinyRequests::bind_manager);
  }
  for (TinyOutput& facts : outputs) {
    impl_->outputs.push_back(std::make_unique<Impl::Output>(Impl::Output{impl_.get(), std::move(facts), nullptr}));
    Impl::Output& output = *impl_->outputs.back();
    output.global = wl_global_create(impl_->display, &wl_output_interface, 4, &output, TinyRequests::bind_output);
  }
}

TinyCompositor::~TinyCompositor() {
  wl_display_destroy_clients(impl_->display);
  wl_display_destroy(impl_->display);
}

wl_display* TinyCompositor::display() const noexcept { return impl_->display; }

const TinyOutput& TinyCompositor::output_of(wl_resource* output) {
  return static_cast<Impl::Output*>(wl_resource_get_user_data(output))->facts;
}

void TinyCompositor::unplug() { wl_global_destroy(std::exchange(impl_->outputs.front()->global, nullptr)); }

void TinyCompositor::turn() {
  wl_event_loop_dispatch(wl_display_get_event_loop(impl_->display), 0);
  wl_display_flush_clients(impl_->display);
}

}  // namespace compositord::test
