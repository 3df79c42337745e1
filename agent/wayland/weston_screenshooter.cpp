#include "agent/wayland/weston_screenshooter.h"

#include <wayland-client.h>

#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "agent/wayland/shm_buffer.h"

namespace compositord::agent {

namespace {

constexpr std::uint32_t kTakeShot = 0;  // the request's opcode

// The interface as libwayland wants it described. "oo": two objects, of these types.
const wl_interface& screenshooter_interface() {
  static std::array<const wl_interface*, 2> take_shot_types{&wl_output_interface, &wl_buffer_interface};
  static const wl_message request{"take_shot", "oo", take_shot_types.data()};
  static const wl_message event{"done", "", nullptr};
  static const wl_interface interface { WestonScreenshooter::kInterface, 1, 1, &request, 1, &event };
  return interface;
}

struct Listener {
  void (*done)(void* data, wl_proxy* proxy);
};

}  // namespace

class WestonShot final : public OutputShot {
 public:
  WestonShot(WestonScreenshooter& shooter, const PlacedOutput& output) : shooter_(shooter) {
    if (auto begun = begin(output); !begun) end(tl::unexpected(begun.error()));
  }
  WestonShot(const WestonShot&) = delete;
  WestonShot& operator=(const WestonShot&) = delete;
  ~WestonShot() override {
    if (shooter_.current_ == this) shooter_.current_ = nullptr;
  }

  static void on_done(void* data, wl_proxy*) {
    WestonShot* shot = std::exchange(static_cast<WestonScreenshooter*>(data)->current_, nullptr);
    if (shot != nullptr) shot->end(shot->buffer_->take_pixels());
  }

 private:
  Result<void> begin(const PlacedOutput& output) {
    const std::optional<msg::Mode>& mode = output.output.current_mode;
    if (!mode || shooter_.proxy_ == nullptr) return fail(Status::kFailed, "it has no mode; is it switched off?");
    auto buffer =
        ShmBuffer::create(shooter_.shm_, mode->width_px, mode->height_px, mode->width_px * 4, WL_SHM_FORMAT_XRGB8888);
    if (!buffer) return tl::unexpected(buffer.error());
    buffer_.emplace(std::move(*buffer));
    std::array<wl_argument, 2> arguments{};
    arguments[0].o = reinterpret_cast<wl_object*>(output.proxy);
    arguments[1].o = reinterpret_cast<wl_object*>(buffer_->proxy());
    wl_proxy_marshal_array(shooter_.proxy_, kTakeShot, arguments.data());
    shooter_.current_ = this;
    return {};
  }

  WestonScreenshooter& shooter_;
  std::optional<ShmBuffer> buffer_;
};

WestonScreenshooter::WestonScreenshooter(wl_registry* registry, std::uint32_t global_name, wl_shm* shm) : shm_(shm) {
  static constexpr Listener kListener{WestonShot::on_done};
  proxy_ = static_cast<wl_proxy*>(wl_registry_bind(registry, global_name, &screenshooter_interface(), 1));
  if (proxy_ == nullptr) return;
  // libwayland takes a table of functions of any kind, and calls them as the interface describes them.
  auto* table = const_cast<Listener*>(&kListener);
  wl_proxy_add_listener(proxy_, reinterpret_cast<void (**)()>(table), this);
}

WestonScreenshooter::~WestonScreenshooter() {
  if (proxy_ != nullptr) wl_proxy_destroy(proxy_);
}

std::unique_ptr<OutputShot> WestonScreenshooter::shoot(const PlacedOutput& output) {
  return std::make_unique<WestonShot>(*this, output);
}

}  // namespace compositord::agent
