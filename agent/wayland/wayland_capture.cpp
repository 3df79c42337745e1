#include "agent/wayland/wayland_capture.h"

#include <wayland-client.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "agent/capture/shot_target.h"
#include "agent/wayland/output_shot.h"
#include "agent/wayland/screencopy.h"
#include "agent/wayland/side_connection.h"
#include "agent/wayland/weston_capture.h"
#include "agent/wayland/weston_screenshooter.h"
#include "common/base/log_event.h"

namespace compositord::agent {

namespace {

// When a connection breaks the compositor may be ending; its driver learns that on its own, and then that is what is told.
constexpr Duration kEndWait = std::chrono::milliseconds(500);

struct DestroyShm {
  void operator()(wl_shm* shm) const { wl_shm_destroy(shm); }
};

// wl_shm's formats are not needed: XRGB8888 is always there, and screencopy names its own.
void on_shm_format(void*, wl_shm*, std::uint32_t) {}
constexpr wl_shm_listener kShmListener{on_shm_format};

LogicalRect place_of(const PlacedOutput& placed) {
  const msg::Output& output = placed.output;
  const LogicalRect place{output.x, output.y, placed.logical_size.width, placed.logical_size.height};
  return place.width > 0 && place.height > 0 ? place : logical_place(output);
}

class WaylandCapture final : public Capture {
 public:
  WaylandCapture(std::unique_ptr<SideConnection> connection, std::string compositor, ScreenshotRequest request)
      : compositor_(std::move(compositor)), request_(std::move(request)), connection_(std::move(connection)) {
    connection_->ask_round_trip();
    connection_->flush();
  }

  void poll_fds(std::vector<pollfd>& fds) const override {
    if (!broken_) connection_->poll_fds(fds);
  }
  Instant next_deadline() const noexcept override { return broken_until_; }
  std::optional<Result<Shot>> service(Instant now) override;

 private:
  enum class State { kGlobals, kOutputs, kShooting };
  struct Target {
    PlacedOutput output;
    std::unique_ptr<OutputShot> shot;  // none before its turn
  };

  void on_broken(const std::string& why, Instant now);
  Error not_permitted() const;
  Result<void> advance();
  Result<void> bind_shooter();
  Result<void> choose_outputs();
  Result<void> check_shots();
  Result<Shot> make_shot();
  bool has_all() const;

  std::string compositor_;
  ScreenshotRequest request_;
  State state_ = State::kGlobals;
  // In this order: each needs those above it, and the connection goes last.
  std::unique_ptr<SideConnection> connection_;
  std::unique_ptr<wl_shm, DestroyShm> shm_;
  std::unique_ptr<OutputShooter> shooter_;
  bool shooter_punishes_ = false;  // a protocol error is its way to say no
  std::vector<Target> targets_;
  std::optional<Error> broken_;
  Instant broken_until_ = kNever;
};

void WaylandCapture::on_broken(const std::string& why, Instant now) {
  broken_until_ = now + kEndWait;
  broken_ = Error{Status::kFailed, fmt::format("{} gave no screenshot: {}", compositor_, why)};
  if (!shooter_punishes_ || !connection_->was_punished()) return;
  broken_ = not_permitted();
  broken_until_ = now;
}

// Both of weston's interfaces: other compositors made of libweston may have rules of their own.
Error WaylandCapture::not_permitted() const {
  if (compositor_ != "weston") {
    return Error{Status::kUnsupported, fmt::format("{} does not permit this agent to take screenshots", compositor_)};
  }
  return Error{Status::kUnsupported, "weston permits screenshots only when it was started with --debug"};
}

std::optional<Result<Shot>> WaylandCapture::service(Instant now) {
  if (!broken_) {
    if (const auto pumped = connection_->pump(); !pumped) on_broken(pumped.error().text, now);
  }
  if (broken_) {
    if (now < broken_until_) return std::nullopt;
    return tl::unexpected(*broken_);
  }
  if (auto advanced = advance(); !advanced) return tl::unexpected(advanced.error());
  connection_->flush();
  if (!has_all()) return std::nullopt;
  return make_shot();
}

Result<void> WaylandCapture::advance() {
  if (state_ == State::kGlobals && connection_->round_trips() == 1) {
    if (auto bound = bind_shooter(); !bound) return bound;
    state_ = State::kOutputs;
    connection_->ask_round_trip();
  }
  if (state_ == State::kOutputs && connection_->round_trips() == 2) {
    if (auto chosen = choose_outputs(); !chosen) return chosen;
    state_ = State::kShooting;
  }
  return state_ == State::kShooting ? check_shots() : Result<void>{};
}

Result<void> WaylandCapture::bind_shooter() {
  const RegistryMirror& mirror = connection_->registry();
  const auto* shm = mirror.find_global("wl_shm");
  if (shm == nullptr) return fail(Status::kFailed, fmt::format("{} has no wl_shm to put a picture into", compositor_));
  shm_.reset(static_cast<wl_shm*>(wl_registry_bind(mirror.registry(), shm->first, &wl_shm_interface, 1)));
  if (shm_) wl_shm_add_listener(shm_.get(), &kShmListener, nullptr);
  const auto* screencopy = mirror.find_global(Screencopy::kInterface);
  const auto* capture = mirror.find_global(WestonCapture::kInterface);
  const auto* weston = mirror.find_global(WestonScreenshooter::kInterface);
  if (shm_ && screencopy != nullptr) {
    shooter_ =
        std::make_unique<Screencopy>(mirror.registry(), screencopy->first, screencopy->second.version, shm_.get());
  } else if (shm_ && capture != nullptr) {
    shooter_ = std::make_unique<WestonCapture>(connection_->display(), mirror.registry(), capture->first, shm_.get());
  } else if (shm_ && weston != nullptr) {
    shooter_ = std::make_unique<WestonScreenshooter>(mirror.registry(), weston->first, shm_.get());
    shooter_punishes_ = true;
  } else {
    return fail(Status::kFailed, fmt::format("{} no longer offers a protocol to take a screenshot", compositor_));
  }
  return {};
}

Result<void> WaylandCapture::choose_outputs() {
  std::string names;
  double pixels = 0;
  for (PlacedOutput& output : connection_->registry().placed_outputs()) {
    names += (names.empty() ? "" : ", ") + output.output.name;
    if (request_.output && *request_.output != output.output.name) continue;
    const msg::Mode mode = output.output.current_mode.value_or(msg::Mode{});
    pixels += static_cast<double>(mode.width_px) * mode.height_px;
    targets_.push_back(Target{std::move(output), nullptr});
  }
  if (targets_.empty() && request_.output) {
    return tl::unexpected(no_such_target(*request_.output, compositor_, names));
  }
  if (targets_.empty()) return fail(Status::kFailed, fmt::format("{} has no output that is switched on", compositor_));
  return check_pixels(pixels);
}

// Asks for what may be asked for, and finds what will never come.
Result<void> WaylandCapture::check_shots() {
  const auto& globals = connection_->registry().globals();
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
    if (outcome && !*outcome && outcome->error().status == Status::kUnsupported) {
      return tl::unexpected(not_permitted());
    }
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
    const bool known = protocol.name == Screencopy::kInterface || protocol.name == WestonCapture::kInterface ||
                       protocol.name == WestonScreenshooter::kInterface;
    return known && protocol.version > 0;
  });
}

Result<std::unique_ptr<Capture>> begin_wayland_capture(const CaptureTarget& target, const ScreenshotRequest& request) {
  auto connection = SideConnection::open(target.socket_path, target.peer);
  if (!connection) {
    return fail(Status::kNotConnected,
                fmt::format("{} takes no further connection: {}", target.name, connection.error().text));
  }
  return std::make_unique<WaylandCapture>(std::move(*connection), target.name, request);
}

}  // namespace compositord::agent
