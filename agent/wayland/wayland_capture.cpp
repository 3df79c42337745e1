#include "agent/wayland/wayland_capture.h"

#include <wayland-client.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "agent/wayland/connected_display.h"
#include "agent/wayland/output_shot.h"
#include "agent/wayland/registry_mirror.h"
#include "agent/wayland/screencopy.h"
#include "agent/wayland/weston_screenshooter.h"
#include "common/base/log_event.h"

namespace compositord::agent {

namespace {

// As WaylandDriver's: what libwayland buffers, so many times.
constexpr int kReadsPerServiceMax = 16;
// When a connection breaks the compositor may be ending; its driver learns that on its own, and then that is what is told.
constexpr Duration kEndWait = std::chrono::milliseconds(500);

struct Disconnect {
  void operator()(wl_display* display) const { wl_display_disconnect(display); }
};
struct DestroyShm {
  void operator()(wl_shm* shm) const { wl_shm_destroy(shm); }
};
struct DestroyCallback {
  void operator()(wl_callback* callback) const { wl_callback_destroy(callback); }
};

bool is_same_process(const Peer& a, const Peer& b) {
  return a.pid == b.pid && a.start_time_ticks == b.start_time_ticks && a.uid == b.uid;
}

// wl_shm's formats are not needed: XRGB8888 is always there, and screencopy names its own.
void on_shm_format(void*, wl_shm*, std::uint32_t) {}
constexpr wl_shm_listener kShmListener{on_shm_format};

LogicalRect place_of(const PlacedOutput& placed) {
  const msg::Output& output = placed.output;
  LogicalRect place{output.x, output.y, placed.logical_size.width, placed.logical_size.height};
  if (place.width > 0 && place.height > 0) return place;
  const msg::Mode mode = output.current_mode.value_or(msg::Mode{});
  const auto scaled = [&](std::uint32_t px) { return static_cast<std::uint32_t>(std::lround(px / output.scale)); };
  place.width = scaled(mode.width_px);
  place.height = scaled(mode.height_px);
  if ((static_cast<unsigned>(output.transform) & 1U) != 0) std::swap(place.width, place.height);
  return place;
}

class WaylandCapture final : public Capture {
 public:
  WaylandCapture(wl_display* display, std::string compositor, ScreenshotRequest request)
      : compositor_(std::move(compositor)), request_(std::move(request)), display_(display), mirror_(display) {
    ask_round_trip();
    flush();
  }

  void poll_fds(std::vector<pollfd>& fds) const override {
    if (broken_) return;
    const int events = flush_blocked_ ? POLLIN | POLLOUT : POLLIN;
    fds.push_back(pollfd{wl_display_get_fd(display_.get()), static_cast<short>(events), 0});
  }
  Instant next_deadline() const noexcept override { return broken_until_; }
  std::optional<Result<Shot>> service(Instant now) override;

 private:
  enum class State { kGlobals, kOutputs, kShooting };
  struct Target {
    PlacedOutput output;
    std::unique_ptr<OutputShot> shot;  // none before its turn
  };

  static void on_round_trip(void* data, wl_callback*, std::uint32_t) {
    auto& capture = *static_cast<WaylandCapture*>(data);
    capture.round_trip_.reset();
    capture.has_answered_ = true;
  }
  static constexpr wl_callback_listener kRoundTrip{on_round_trip};

  void ask_round_trip();
  void flush();
  void pump(Instant now);
  void on_broken(Instant now);
  Result<void> advance();
  Result<void> bind_shooter();
  Result<void> choose_outputs();
  Result<void> check_shots();
  Result<Shot> make_shot();
  bool has_all() const;

  std::string compositor_;
  ScreenshotRequest request_;
  State state_ = State::kGlobals;
  // In this order: each needs those above it, and the display goes last.
  std::unique_ptr<wl_display, Disconnect> display_;
  RegistryMirror mirror_;
  std::unique_ptr<wl_shm, DestroyShm> shm_;
  std::unique_ptr<OutputShooter> shooter_;
  bool shooter_punishes_ = false;  // a protocol error is its way to say no
  std::vector<Target> targets_;
  std::unique_ptr<wl_callback, DestroyCallback> round_trip_;
  bool has_answered_ = false;
  bool flush_blocked_ = false;
  std::optional<Error> broken_;
  Instant broken_until_ = kNever;
};

void WaylandCapture::ask_round_trip() {
  round_trip_.reset(wl_display_sync(display_.get()));
  if (round_trip_) wl_callback_add_listener(round_trip_.get(), &kRoundTrip, this);
}

void WaylandCapture::flush() { flush_blocked_ = wl_display_flush(display_.get()) < 0 && errno == EAGAIN; }

void WaylandCapture::pump(Instant now) {
  wl_display* display = display_.get();
  for (int reads = 0; reads < kReadsPerServiceMax; ++reads) {
    while (wl_display_prepare_read(display) != 0) {
      if (wl_display_dispatch_pending(display) < 0) return on_broken(now);
    }
    flush();
    // Without data this returns at once: libwayland reads with MSG_DONTWAIT.
    const bool read_failed = wl_display_read_events(display) < 0;
    const int dispatched = wl_display_dispatch_pending(display);
    if (read_failed || dispatched < 0) return on_broken(now);
    if (dispatched == 0) return;
  }
}

void WaylandCapture::on_broken(Instant now) {
  broken_until_ = now + kEndWait;
  const int error = wl_display_get_error(display_.get());
  if (error == EPROTO && shooter_punishes_) {
    broken_ = Error{Status::kUnsupported,
                    fmt::format("{} permits screenshots only when it was started with --debug", compositor_)};
    broken_until_ = now;
    return;
  }
  broken_ = Error{Status::kFailed, fmt::format("{} ended the connection for the screenshot: {}", compositor_,
                                               std::strerror(error == 0 ? EPIPE : error))};
}

std::optional<Result<Shot>> WaylandCapture::service(Instant now) {
  if (!broken_) pump(now);
  if (broken_) {
    if (now < broken_until_) return std::nullopt;
    return tl::unexpected(*broken_);
  }
  if (auto advanced = advance(); !advanced) return tl::unexpected(advanced.error());
  flush();
  if (!has_all()) return std::nullopt;
  return make_shot();
}

Result<void> WaylandCapture::advance() {
  if (state_ == State::kGlobals && std::exchange(has_answered_, false)) {
    if (auto bound = bind_shooter(); !bound) return bound;
    state_ = State::kOutputs;
    ask_round_trip();
  }
  if (state_ == State::kOutputs && std::exchange(has_answered_, false)) {
    if (auto chosen = choose_outputs(); !chosen) return chosen;
    state_ = State::kShooting;
  }
  return state_ == State::kShooting ? check_shots() : Result<void>{};
}

Result<void> WaylandCapture::bind_shooter() {
  const auto find = [&](std::string_view interface) {
    return std::find_if(mirror_.globals().begin(), mirror_.globals().end(), [&](const auto& global) {
      return global.second.name == interface && global.second.version > 0;
    });
  };
  const auto none = mirror_.globals().end();
  const auto shm = find("wl_shm");
  if (shm == none) return fail(Status::kFailed, fmt::format("{} has no wl_shm to put a picture into", compositor_));
  shm_.reset(static_cast<wl_shm*>(wl_registry_bind(mirror_.registry(), shm->first, &wl_shm_interface, 1)));
  if (shm_) wl_shm_add_listener(shm_.get(), &kShmListener, nullptr);
  const auto screencopy = find(Screencopy::kInterface);
  const auto weston = find(WestonScreenshooter::kInterface);
  if (shm_ && screencopy != none) {
    shooter_ =
        std::make_unique<Screencopy>(mirror_.registry(), screencopy->first, screencopy->second.version, shm_.get());
  } else if (shm_ && weston != none) {
    shooter_ = std::make_unique<WestonScreenshooter>(mirror_.registry(), weston->first, shm_.get());
    shooter_punishes_ = true;
  } else {
    return fail(Status::kFailed, fmt::format("{} no longer offers a protocol to take a screenshot", compositor_));
  }
  return {};
}

Result<void> WaylandCapture::choose_outputs() {
  std::string names;
  double pixels = 0;
  for (PlacedOutput& output : mirror_.placed_outputs()) {
    names += (names.empty() ? "" : ", ") + output.output.name;
    if (request_.output && *request_.output != output.output.name) continue;
    const msg::Mode mode = output.output.current_mode.value_or(msg::Mode{});
    pixels += static_cast<double>(mode.width_px) * mode.height_px;
    targets_.push_back(Target{std::move(output), nullptr});
  }
  if (targets_.empty() && request_.output) {
    return fail(Status::kNotFound, fmt::format("there is no output \"{}\" that is switched on; {} has {}",
                                               *request_.output, compositor_, names.empty() ? "none" : names));
  }
  if (targets_.empty()) return fail(Status::kFailed, fmt::format("{} has no output that is switched on", compositor_));
  if (pixels > static_cast<double>(kShotPixelsMax)) {
    return fail(Status::kTooLarge, fmt::format("the outputs have {:.0f} Mpx, and {} are allowed; ask for one `output`",
                                               pixels / 1e6, kShotPixelsMax / 1'000'000));
  }
  return {};
}

// Asks for what may be asked for, and finds what will never come.
Result<void> WaylandCapture::check_shots() {
  const auto& globals = mirror_.globals();
  bool is_shooting = false;
  for (Target& target : targets_) {
    const std::string& name = target.output.output.name;
    const bool ended = target.shot && target.shot->outcome();
    if (!ended && !globals.contains(target.output.global_name)) {
      return fail(Status::kFailed, fmt::format("{}: {} vanished before its picture was taken", compositor_, name));
    }
    if (!target.shot && (!is_shooting || shooter_->takes_several())) target.shot = shooter_->shoot(target.output);
    if (!target.shot) continue;
    const auto& outcome = target.shot->outcome();
    if (!outcome) is_shooting = true;
    if (outcome && !*outcome) {
      return fail(outcome->error().status, fmt::format("{}, {}: {}", compositor_, name, outcome->error().text));
    }
  }
  return {};
}

bool WaylandCapture::has_all() const {
  return state_ == State::kShooting && std::all_of(targets_.begin(), targets_.end(), [](const Target& target) {
           return target.shot && target.shot->outcome();
         });
}

Result<Shot> WaylandCapture::make_shot() {
  Shot shot;
  for (Target& target : targets_) {
    shot.outputs.push_back(target.output.output.name);
    shot.pictures.push_back(
        Picture{target.shot->take_pixels(), target.output.output.transform, place_of(target.output)});
  }
  return shot;
}

}  // namespace

bool can_capture(const std::vector<msg::Protocol>& protocols) {
  return std::any_of(protocols.begin(), protocols.end(), [](const msg::Protocol& protocol) {
    const bool known = protocol.name == Screencopy::kInterface || protocol.name == WestonScreenshooter::kInterface;
    return known && protocol.version > 0;
  });
}

Result<std::unique_ptr<Capture>> begin_wayland_capture(const CaptureTarget& target, const ScreenshotRequest& request) {
  auto socket = connect_unix(target.socket_path);
  if (!socket) {
    return fail(Status::kNotConnected,
                fmt::format("{} takes no further connection: {}", target.name, socket.error().text));
  }
  const auto peer = identify_peer(socket->get());
  if (!peer || !is_same_process(*peer, target.peer)) {
    return fail(Status::kNotConnected,
                fmt::format("{} is another process's socket now, not {}'s", target.socket_path, target.name));
  }
  wl_display* display = wl_display_connect_to_fd(socket->get());
  if (display == nullptr) {
    return fail(Status::kFailed, fmt::format("{}: no Wayland client: {}", target.socket_path, std::strerror(errno)));
  }
  static_cast<void>(socket->release());  // the display closes it from now on
  return std::make_unique<WaylandCapture>(display, target.name, request);
}

}  // namespace compositord::agent
