#include "agent/mutter/screen_cast.h"

#include <sdbus-c++/sdbus-c++.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include <fmt/format.h>

#include "agent/pipewire/frame_grabber.h"
#include "agent/process/process_environment.h"
#include "agent/wayland/connected_display.h"
#include "common/base/log_event.h"

namespace compositord::agent::mutter {

namespace {

constexpr const char* kScreenCast = "org.gnome.Mutter.ScreenCast";  // its name on the bus, and its interface
constexpr const char* kPath = "/org/gnome/Mutter/ScreenCast";
constexpr const char* kSession = "org.gnome.Mutter.ScreenCast.Session";
constexpr const char* kStream = "org.gnome.Mutter.ScreenCast.Stream";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr std::uint32_t kPointerHidden = 0;

using Options = std::map<std::string, sdbus::Variant>;

std::string_view variable(std::string_view environment, std::string_view name) {
  while (!environment.empty()) {
    const std::string_view entry = environment.substr(0, environment.find('\0'));
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
    environment.remove_prefix(std::min(environment.size(), entry.size() + 1));
  }
  return {};
}

std::string own_environment() {
  std::string environment;
  for (const char* name : {"PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR", "PIPEWIRE_REMOTE"}) {
    const char* value = std::getenv(name);
    if (value != nullptr) environment += fmt::format("{}={}", name, value) + '\0';
  }
  return environment;
}

class MutterCapture final : public Capture {
 public:
  MutterCapture(ScreenCast& screen_cast, std::string compositor, std::vector<ShotTarget> targets)
      : screen_cast_(screen_cast), compositor_(std::move(compositor)), targets_(std::move(targets)) {}

  void poll_fds(std::vector<pollfd>& fds) const override {
    if (grabber_) grabber_->poll_fds(fds);
  }
  // What the bus said is taken in the next service(): the bus's own comes after ours.
  Instant next_deadline() const noexcept override {
    return cast_ && !grabber_ && (cast_->node || cast_->error) ? Instant() : kNever;
  }
  std::optional<Result<Shot>> service(Instant now) override;

 private:
  Result<void> advance(Instant now);
  Result<void> take_frame();

  ScreenCast& screen_cast_;
  std::string compositor_;
  std::vector<ShotTarget> targets_;
  Shot shot_;
  std::shared_ptr<Cast> cast_;  // of the output whose turn it is
  std::optional<pipewire::FrameGrabber> grabber_;
};

std::optional<Result<Shot>> MutterCapture::service(Instant now) {
  // Each turn takes one output, or waits.
  while (shot_.pictures.size() < targets_.size()) {
    const std::size_t taken = shot_.pictures.size();
    if (auto advanced = advance(now); !advanced) {
      // It may give one the next time: only the manifest says that it never will.
      const Status status = advanced.error().status == Status::kUnsupported ? Status::kFailed : advanced.error().status;
      return fail(status, fmt::format("{}, {}: {}", compositor_, targets_[taken].output, advanced.error().text));
    }
    if (shot_.pictures.size() == taken) return std::nullopt;
  }
  return std::move(shot_);
}

Result<void> MutterCapture::advance(Instant now) {
  if (!cast_) cast_ = screen_cast_.open(targets_[shot_.pictures.size()].output, now);
  if (cast_->error) return tl::unexpected(*cast_->error);
  if (!cast_->node) return {};
  if (grabber_) return take_frame();
  auto remote = connect_unix(screen_cast_.pipewire_socket());
  if (!remote) return tl::unexpected(remote.error());
  auto grabber = pipewire::FrameGrabber::start(std::move(*remote), *cast_->node);
  if (!grabber) return tl::unexpected(grabber.error());
  grabber_.emplace(std::move(*grabber));
  return {};
}

Result<void> MutterCapture::take_frame() {
  auto pixels = grabber_->take();
  if (!pixels) return {};
  if (!*pixels) return tl::unexpected(pixels->error());
  const ShotTarget& target = targets_[shot_.pictures.size()];
  shot_.outputs.push_back(target.output);
  shot_.pictures.push_back(Picture{std::move(**pixels), msg::Transform::k0, target.place});
  grabber_.reset();
  cast_.reset();
  return {};
}

}  // namespace

std::string pipewire_socket_in(std::string_view environment) {
  std::string_view name = variable(environment, "PIPEWIRE_REMOTE");
  if (name.empty()) name = "pipewire-0";
  if (name.starts_with('/')) return std::string(name);
  std::string_view folder = variable(environment, "PIPEWIRE_RUNTIME_DIR");
  if (folder.empty()) folder = variable(environment, "XDG_RUNTIME_DIR");
  return folder.starts_with('/') ? fmt::format("{}/{}", folder, name) : std::string();
}

ScreenCast::ScreenCast(const Peer& compositor, dbus::SessionBus& bus, const dbus::NameOwner& owner)
    : bus_(bus),
      owner_(owner),
      pipewire_socket_(pipewire_socket_in(environment_of(compositor).value_or(own_environment()))) {}

std::string ScreenCast::match_rule() {
  return fmt::format("type='signal',interface='{}',member='PipeWireStreamAdded'", kStream);
}

void ScreenCast::on_signal(const dbus::BusSignal& signal) {
  if (signal.member != "PipeWireStreamAdded" || signal.sender != owner_.unique_name()) return;
  const auto cast = cast_.lock();
  if (cast && !stream_.empty() && signal.path == stream_) cast->node = signal.number;
}

Instant ScreenCast::next_deadline() const noexcept { return is_open_ && cast_.expired() ? Instant() : ask_at_; }

void ScreenCast::service(Instant now) {
  now_ = now;
  if (owner_.changes() != owner_changes_) {
    owner_changes_ = owner_.changes();
    asking_ = false;
    ask_at_ = owner_.unique_name().empty() ? kNever : now;
    ++session_number_;
    is_open_ = false;  // with its client's connection each session ends
    session_.clear();
    if (const auto cast = cast_.lock()) cast->error = Error{Status::kFailed, "it was lost from its session bus"};
    settle("has not said yet whether it shows its screen by ScreenCast");
  }
  if (now >= ask_at_) ask_version(now);
  if (is_open_ && cast_.expired()) stop();
}

void ScreenCast::ask_version(Instant now) {
  ask_at_ = now + kAskAgain;
  const auto write = [](sdbus::MethodCall& call) { call << std::string(kScreenCast) << std::string("Version"); };
  const auto take = [this, changes = owner_changes_](Result<sdbus::Message*> reply) {
    if (changes != owner_changes_) return;
    asking_ = false;
    if (!reply) return settle(fmt::format("offers no {}: {}", kScreenCast, reply.error().text));
    if (pipewire_socket_.empty() || ::access(pipewire_socket_.c_str(), R_OK | W_OK) != 0) {
      return settle(fmt::format("shows its screen only through PipeWire, and there is none at {}",
                                pipewire_socket_.empty() ? "$XDG_RUNTIME_DIR" : escape_for_log(pipewire_socket_)));
    }
    ask_at_ = kNever;
    settle({});
  };
  asking_ = bus_.call({owner_.unique_name(), kPath, kProperties, "Get", write}, now + kAnswerTime, take).has_value();
}

void ScreenCast::settle(std::string obstacle) {
  changed_ |= obstacle != obstacle_;
  obstacle_ = std::move(obstacle);
}

Result<std::unique_ptr<Capture>> ScreenCast::begin(const ScreenshotRequest& request,
                                                   const std::vector<KnownOutput>& outputs,
                                                   const std::string& compositor) {
  auto targets = choose_targets(request, outputs, compositor);
  if (!targets) return tl::unexpected(targets.error());
  return std::make_unique<MutterCapture>(*this, compositor, std::move(*targets));
}

std::shared_ptr<Cast> ScreenCast::open(const std::string& output, Instant now) {
  now_ = now;
  if (is_open_) stop();
  auto cast = std::make_shared<Cast>();
  cast->output = output;
  cast_ = cast;
  ++session_number_;
  is_open_ = true;
  session_.clear();
  stream_.clear();
  call(
      kPath, kScreenCast, "CreateSession", [](sdbus::MethodCall& m) { m << Options{}; }, &ScreenCast::on_session);
  return cast;
}

// A session that is told only after nobody wants it any more.
void ScreenCast::stop_late(sdbus::Message& reply) {
  try {
    sdbus::ObjectPath path;
    reply >> path;
    stop_session(path);
  } catch (const sdbus::Error&) {
    // It told no session, so there is none to stop.
  }
}

void ScreenCast::call(const std::string& path, const char* interface, const char* method,
                      std::function<void(sdbus::MethodCall&)> arguments, void (ScreenCast::*then)(sdbus::Message&)) {
  const auto refuse = [this](Error error) {
    if (const auto cast = cast_.lock()) cast->error = std::move(error);
  };
  const auto take = [this, then, refuse, number = session_number_](Result<sdbus::Message*> reply) {
    if (number != session_number_) {
      if (reply && then == &ScreenCast::on_session) stop_late(**reply);
      return;
    }
    if (!reply) return refuse(reply.error());
    try {
      (this->*then)(**reply);
    } catch (const sdbus::Error& error) {
      refuse(Error{Status::kFailed, escape_for_log(error.getMessage())});
    }
  };
  const auto asked =
      bus_.call({owner_.unique_name(), path, interface, method, std::move(arguments)}, now_ + kAnswerTime, take);
  if (!asked) refuse(asked.error());
}

void ScreenCast::on_session(sdbus::Message& reply) {
  sdbus::ObjectPath path;
  reply >> path;
  session_ = path;
  const auto cast = cast_.lock();
  if (!cast) return;  // service() stops it
  const auto record = [output = cast->output](sdbus::MethodCall& message) {
    message << output << Options{{"cursor-mode", sdbus::Variant(kPointerHidden)}};
  };
  call(session_, kSession, "RecordMonitor", record, &ScreenCast::on_stream);
}

void ScreenCast::on_stream(sdbus::Message& reply) {
  sdbus::ObjectPath path;
  reply >> path;
  stream_ = path;
  call(session_, kSession, "Start", {}, &ScreenCast::on_started);
}

void ScreenCast::stop() {
  is_open_ = false;
  ++session_number_;
  if (!session_.empty()) stop_session(session_);
  session_.clear();
}

void ScreenCast::stop_session(const std::string& path) {
  // What it answers changes nothing.
  static_cast<void>(
      bus_.call({owner_.unique_name(), path, kSession, "Stop", {}}, now_ + kAnswerTime, [](const auto&) {}));
}

}  // namespace compositord::agent::mutter
