#include "agent/wayland/wayland_driver.h"

#include <wayland-client.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "agent/process/known_exit.h"
#include "agent/process/socket_clients.h"
#include "agent/wayland/compositor_facts.h"
#include "agent/wayland/output_control.h"
#include "agent/wayland/wayland_capture.h"
#include "agent/windows/window_list.h"

namespace compositord::agent {

namespace {

// One read takes at most what libwayland buffers (4 KiB); more than this many per call would let a flood hold the loop.
constexpr int kReadsPerServiceMax = 16;

// libwayland would print what a compositor sends to our standard error, escape sequences and all. What matters of it is in
// the driver's own events.
void be_silent(const char*, va_list) {}

std::string text_of_failure(wl_display* display, int error) {
  if (error == EPROTO) {
    const wl_interface* interface = nullptr;
    std::uint32_t object = 0;
    const std::uint32_t code = wl_display_get_protocol_error(display, &interface, &object);
    // Without an object it may also be libwayland's own finding.
    if (interface == nullptr) return "ended the connection with a Wayland protocol error";
    return fmt::format("closed its Wayland socket after protocol error {} on {}", code, interface->name);
  }
  if (error == EPIPE || error == ECONNRESET || error == 0) return "closed its Wayland socket";
  return fmt::format("broke the Wayland protocol ({})", std::strerror(error));
}

}  // namespace

struct WaylandDriver::Connection {
  explicit Connection(wl_display* d) : display(d), mirror(d) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (settle != nullptr) wl_callback_destroy(settle);
    if (probe != nullptr) wl_callback_destroy(probe);
  }
  struct Disconnect {
    void operator()(wl_display* d) const { wl_display_disconnect(d); }
  };
  // Before the mirror, so that it outlives the mirror's objects.
  std::unique_ptr<wl_display, Disconnect> display;
  RegistryMirror mirror;
  OutputControl control;
  wl_callback* settle = nullptr;
  wl_callback* probe = nullptr;
};

// The C callbacks. `data` is the driver, which owns the connection that calls them.
struct SyncEvents {
  static void settled(void* data, wl_callback* callback, std::uint32_t) {
    auto& driver = *static_cast<WaylandDriver*>(data);
    wl_callback_destroy(callback);
    driver.connection_->settle = nullptr;
    driver.settle_answered_ = true;
  }
  static void probed(void* data, wl_callback* callback, std::uint32_t) {
    auto& driver = *static_cast<WaylandDriver*>(data);
    wl_callback_destroy(callback);
    driver.connection_->probe = nullptr;
    driver.probe_answered_ = true;
  }
  static constexpr wl_callback_listener kSettle{settled};
  static constexpr wl_callback_listener kProbe{probed};
};

Result<std::unique_ptr<WaylandDriver>> WaylandDriver::create(ConnectedDisplay display, Peer peer, Options options,
                                                             Instant now) {
  wl_log_set_handler_client(be_silent);
  wl_display* handle = wl_display_connect_to_fd(display.socket.get());
  if (handle == nullptr) {
    return fail(Status::kFailed, fmt::format("{}: no Wayland client: {}", display.socket_path, std::strerror(errno)));
  }
  static_cast<void>(display.socket.release());  // the handle closes it from now on
  std::unique_ptr<WaylandDriver> driver(
      new WaylandDriver(display, std::move(peer), std::make_unique<Connection>(handle), std::move(options), now));
  driver->watch_process();
  DriverOutputs early;
  if (driver->options_.ask_executable) driver->ask_executable(now, early);
  driver->settle(now, early);
  std::move(early.log.begin(), early.log.end(), std::back_inserter(driver->pending_log_));
  driver->flush();
  return driver;
}

WaylandDriver::WaylandDriver(ConnectedDisplay& display, Peer peer, std::unique_ptr<Connection> connection,
                             Options options, Instant now)
    : options_(std::move(options)),
      display_name_(std::move(display.name)),
      socket_path_(std::move(display.socket_path)),
      peer_(std::move(peer)),
      connection_(std::move(connection)),
      frames_(options_.frame_probe),
      screenshots_([this](const ScreenshotRequest& request) { return begin_capture(request); }),
      greeting_late_at_(now + kGreetingLate) {}

WaylandDriver::~WaylandDriver() = default;

void WaylandDriver::watch_process() {
  auto watch = ProcessWatch::open(peer_);
  if (watch) {
    process_.emplace(std::move(*watch));
  } else {
    pending_log_.push_back(LogEvent(Severity::kWarning, "process.not_watched").with("why", watch.error().text));
  }
}

void WaylandDriver::ask_executable(Instant now, DriverOutputs& out) {
  if (version_query_ || !version_.empty()) return;
  auto query = VersionQuery::start(peer_, now);
  if (!query) {
    out.log.push_back(LogEvent(Severity::kInfo, "process.no_version").with("why", query.error().text));
    return;
  }
  version_query_.emplace(std::move(*query));
  if (!described_) describe_not_before_ = now + kVersionWait;
}

void WaylandDriver::poll_fds(std::vector<pollfd>& fds) const {
  if (state_ == State::kGone) return;
  if (state_ != State::kEnding) {
    const int events = flush_blocked_ ? POLLIN | POLLOUT : POLLIN;
    fds.push_back(pollfd{wl_display_get_fd(connection_->display.get()), static_cast<short>(events), 0});
    identify_.poll_fds(fds);
    windows_.poll_fds(fds);
    frames_.poll_fds(fds);
  }
  screenshots_.poll_fds(fds);
  if (process_) process_->poll_fds(fds);
  // While it ends, nobody reads the version any more: a readable answer would only turn the loop.
  if (version_query_ && state_ != State::kEnding) version_query_->poll_fds(fds);
  if (companion_ != nullptr && state_ == State::kUp) companion_->poll_fds(fds);
}

Instant WaylandDriver::next_deadline() const noexcept {
  if (state_ == State::kGone) return kNever;
  Instant next = std::min(
      {end_wait_.next_deadline(), settle_until_, connection_->control.next_deadline(), screenshots_.next_deadline()});
  if (process_) next = std::min(next, process_->next_deadline());
  if (version_query_ && state_ != State::kEnding) next = std::min(next, version_query_->next_deadline());
  if (state_ == State::kGreeting) next = std::min(next, greeting_late_at_);
  if (state_ == State::kUp)
    next = std::min(
        {next, describe_not_before_, identify_.next_deadline(), windows_.next_deadline(), frames_.next_deadline()});
  if (companion_ != nullptr && state_ == State::kUp) next = std::min(next, companion_->next_deadline());
  return next;
}

void WaylandDriver::service(Instant now, DriverOutputs& out) {
  if (state_ == State::kGone) return;
  for (LogEvent& event : pending_log_) out.log.push_back(std::move(event));
  pending_log_.clear();
  if (state_ != State::kEnding) pump(now, out);
  check_end(now, out);
  if (state_ == State::kGone) return;
  serve_screenshots(now, out);
  if (state_ == State::kEnding) return connection_->control.tick(now, out);
  check_version(now, out);
  settle(now, out);
  serve_companion(now, out);
  serve_commands(now, out);
  identify_.service(now, out);
  windows_.service(now, out);
  if (state_ == State::kUp) frames_.service({name(), socket_path_, peer_}, now, out);
  describe_if_due(now, out);
  if (!flush()) on_broken(now);
  if (state_ == State::kGreeting && now >= greeting_late_at_) {
    greeting_late_at_ = kNever;
    out.log.push_back(LogEvent(Severity::kWarning, "wayland.no_greeting").with("display", display_name_));
  }
}

void WaylandDriver::pump(Instant now, DriverOutputs& out) {
  wl_display* display = connection_->display.get();
  for (int reads = 0; reads < kReadsPerServiceMax; ++reads) {
    while (wl_display_prepare_read(display) != 0) {
      if (wl_display_dispatch_pending(display) < 0) return on_broken(now);
    }
    flush();
    // On a descriptor without data this returns 0 at once: libwayland reads with MSG_DONTWAIT.
    const bool read_failed = wl_display_read_events(display) < 0;
    const int dispatched = wl_display_dispatch_pending(display);
    if (std::exchange(probe_answered_, false)) out.events.emplace_back(driver_event::ProbeAnswered{});
    if (read_failed || dispatched < 0) return on_broken(now);
    if (dispatched == 0) return;
  }
}

bool WaylandDriver::flush() {
  flush_blocked_ = false;
  if (wl_display_flush(connection_->display.get()) >= 0) return true;
  flush_blocked_ = errno == EAGAIN;
  // EPIPE: what the compositor said before it closed can still be read, and the reading finds the end.
  return flush_blocked_ || errno == EPIPE;
}

void WaylandDriver::on_broken(Instant now) {
  wl_display* display = connection_->display.get();
  broken_text_ = text_of_failure(display, wl_display_get_error(display));
  state_ = State::kEnding;
  settle_until_ = kNever;
  end_wait_.begin(now);
}

void WaylandDriver::check_end(Instant now, DriverOutputs& out) {
  if (process_) {
    if (const auto end = process_->service(now)) return say_gone(*end, describe_end_of(name(), *end), out);
  }
  if (state_ != State::kEnding) return;
  if (end_wait_.is_over(process_, now)) say_gone(ProcessEnd{}, broken_text_, out);
}

void WaylandDriver::say_gone(const ProcessEnd& end, std::string text, DriverOutputs& out) {
  state_ = State::kGone;
  connection_->control.on_gone(out);
  identify_.on_gone(out);
  windows_.on_gone(out);
  screenshots_.on_gone("the compositor", out);
  if (companion_ != nullptr) companion_->on_gone(out);
  out.events.emplace_back(driver_event::Gone{end, std::move(text), is_known_exit(name(), end)});
}

void WaylandDriver::check_version(Instant now, DriverOutputs& out) {
  if (!version_query_) return;
  const auto version = version_query_->service(now);
  if (!version) return;
  version_query_.reset();
  if (version->empty()) {
    out.log.push_back(LogEvent(Severity::kInfo, "process.no_version").with("executable", peer_.executable));
    return;
  }
  version_ = *version;
  version_source_ = "executable";
  changed_ = true;
}

void WaylandDriver::begin_companion(Instant now, DriverOutputs& out) {
  if (!options_.make_companion) return;
  companion_ = options_.make_companion(name(), peer_, out);
  if (companion_ == nullptr) return;
  connection_->control.use_companion(companion_->output_manager());
  describe_not_before_ = now + kVersionWait;
}

void WaylandDriver::serve_companion(Instant now, DriverOutputs& out) {
  if (companion_ == nullptr || state_ != State::kUp) return;
  companion_->service(now, out);
  changed_ = companion_->take_changed() || changed_;
}

// Whether something was bound.
bool WaylandDriver::bind_controls() {
  RegistryMirror& mirror = connection_->mirror;
  OutputControl& control = connection_->control;
  for (const std::uint32_t name : mirror.take_removed()) control.lose_global(name);
  if (!options_.control_outputs) return false;
  bool bound = false;
  for (const auto& [name, global] : mirror.globals()) {
    if (control.take_global(mirror.registry(), name, global)) bound = true;
  }
  if (control.has_power()) control.watch_power(mirror.bound_outputs());
  return bound;
}

// Objects that were just bound say what they are within one round trip; until it is answered the picture has holes.
void WaylandDriver::settle(Instant now, DriverOutputs& out) {
  if (std::exchange(settle_answered_, false)) {
    if (state_ == State::kGreeting) begin_companion(now, out);
    state_ = State::kUp;
    settle_until_ = kNever;
    changed_ = true;
  }
  const bool first = state_ == State::kGreeting && connection_->settle == nullptr;
  if (bind_controls()) unsettled_ = true;
  if (connection_->settle != nullptr) return;
  if (connection_->mirror.take_bound()) unsettled_ = true;
  if (!std::exchange(unsettled_, false) && !first) return;
  connection_->settle = wl_display_sync(connection_->display.get());
  if (connection_->settle == nullptr) return;
  wl_callback_add_listener(connection_->settle, &SyncEvents::kSettle, this);
  // The first round trip may take any time: until it is answered the compositor isn't up.
  if (state_ == State::kUp) settle_until_ = now + kSettleWait;
}

void WaylandDriver::describe_if_due(Instant now, DriverOutputs& out) {
  changed_ = connection_->mirror.take_changed() || changed_;
  changed_ = connection_->control.take_changed() || changed_;
  if (now >= settle_until_) settle_until_ = kNever;
  const bool asking = version_query_ || (companion_ != nullptr && companion_->is_asking());
  if (now >= describe_not_before_ || !asking) describe_not_before_ = kNever;
  if (state_ != State::kUp || settle_until_ != kNever || describe_not_before_ != kNever) return;
  if (!std::exchange(changed_, false)) return;
  msg::Manifest next = manifest();
  const std::vector<KnownOutput> outputs = connection_->control.complete(connection_->mirror.outputs());
  if (!described_ || !(*described_ == next)) {
    described_ = std::move(next);
    out.events.emplace_back(driver_event::Described{*described_});
  }
  describe_outputs(outputs, out);
  if (const std::uint64_t refused = connection_->mirror.refused(); refused > refused_logged_) {
    if (refused_logged_ == 0) {
      out.log.push_back(
          LogEvent(Severity::kWarning, "wayland.too_many_globals").with("left_out", std::to_string(refused)));
    }
    refused_logged_ = refused;
  }
}

void WaylandDriver::describe_outputs(const std::vector<KnownOutput>& outputs, DriverOutputs& out) {
  auto next = output_states_;
  for (auto& [name, state] : next) state = msg::OutputState::kDisconnected;
  for (const KnownOutput& output : outputs) {
    const std::string& name = output.output.name;
    const auto state = output.active && output.powered ? msg::OutputState::kOn : msg::OutputState::kOff;
    const auto known = std::find_if(next.begin(), next.end(), [&](const auto& s) { return s.first == name; });
    if (known != next.end()) {
      known->second = state;
    } else {
      next.emplace_back(name, state);
    }
  }
  while (next.size() > kOutputsRememberedMax) {
    const auto oldest = std::find_if(next.begin(), next.end(),
                                     [](const auto& s) { return s.second == msg::OutputState::kDisconnected; });
    if (oldest == next.end()) break;
    next.erase(oldest);
  }
  if (next == output_states_) return;
  output_states_ = std::move(next);
  out.events.emplace_back(driver_event::OutputsChanged{output_states_});
}

std::string WaylandDriver::name() const { return compositor_name(peer_.executable, connection_->mirror.protocols()); }

std::vector<msg::CommandSupport> WaylandDriver::commands() const {
  const std::string compositor = name();
  auto list = unsupported_commands(compositor);
  connection_->control.support(list, compositor);
  for (msg::CommandSupport& command : list) {
    if (command.name != kScreenshotCommand || !can_capture(connection_->mirror.protocols())) continue;
    command.supported = screenshot_refusal_.empty();
    command.reason = screenshot_refusal_;
  }
  if (companion_ != nullptr) companion_->support(list, compositor);
  list.push_back(IdentifyOverlay::support(connection_->mirror.protocols(), compositor));
  list.push_back(WindowQuery::support(connection_->mirror.protocols(), compositor));
  return list;
}

msg::Manifest WaylandDriver::manifest() const {
  msg::Manifest m;
  m.protocols = connection_->mirror.protocols();
  m.name = name();
  m.version = version_;
  m.version_source = version_source_;
  if (const std::string version = companion_ != nullptr ? companion_->version() : ""; !version.empty()) {
    m.version = version;
    m.version_source = companion_->version_source();
  }
  m.kind = msg::DisplayKind::kWayland;
  m.display = display_name_;
  m.pid = static_cast<std::uint64_t>(std::max<pid_t>(peer_.pid, 0));
  m.executable = peer_.executable;
  m.driver = "wayland";
  for (KnownOutput& known : connection_->control.complete(connection_->mirror.outputs())) {
    m.outputs.push_back(std::move(known.output));
  }
  m.inputs = connection_->mirror.inputs();
  m.commands = commands();
  return m;
}

void WaylandDriver::start_probe(Instant now, DriverOutputs&) {
  const bool connected = state_ == State::kGreeting || state_ == State::kUp;
  if (!connected || connection_->probe != nullptr) return;
  connection_->probe = wl_display_sync(connection_->display.get());
  if (connection_->probe == nullptr) return;
  wl_callback_add_listener(connection_->probe, &SyncEvents::kProbe, this);
  if (!flush()) on_broken(now);
}

void WaylandDriver::look_at_process(DriverOutputs& out) {
  out.events.emplace_back(process_ ? process_->look() : driver_event::CauseSeen{});
}

void WaylandDriver::count_clients(Instant, DriverOutputs& out) {
  if (state_ != State::kUp) return;
  if (const auto seen = look_at_clients(wl_display_get_fd(connection_->display.get()))) out.events.emplace_back(*seen);
}

void WaylandDriver::execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
                            Instant deadline, DriverOutputs& out) {
  driver_event::CommandFinished finished;
  finished.command_id = command_id;
  finished.status = Status::kNotFound;
  finished.error = fmt::format("there is no command \"{}\"", escape_for_log(method, 64));
  for (const msg::CommandSupport& command : commands()) {
    if (command.name != method) continue;
    if (command.supported && method == kIdentifyName) {
      return identify_.execute(command_id, params, {name(), socket_path_, peer_}, now, deadline, out);
    }
    if (command.supported && method == kWindowsName) {
      return windows_.execute(command_id, params, {name(), socket_path_, peer_}, now, deadline, out);
    }
    if (command.supported && method == kScreenshotCommand) {
      screenshots_.execute(command_id, params, now, deadline, out);
      return;
    }
    if (command.supported) {
      return carry_out(command_id, method, params, now, deadline, out);
    }
    finished.status = Status::kUnsupported;
    finished.error = command.reason;
  }
  out.events.emplace_back(std::move(finished));
}

void WaylandDriver::serve_screenshots(Instant now, DriverOutputs& out) {
  screenshots_.service(now, out);
  if (auto refusal = screenshots_.take_refusal()) {
    screenshot_refusal_ = std::move(*refusal);
    changed_ = true;
  }
}

Result<std::unique_ptr<Capture>> WaylandDriver::begin_capture(const ScreenshotRequest& request) const {
  if (companion_ != nullptr && !can_capture(connection_->mirror.protocols())) {
    return companion_->begin_capture(request, connection_->control.complete(connection_->mirror.outputs()));
  }
  return begin_wayland_capture(CaptureTarget{socket_path_, peer_, name()}, request);
}

void WaylandDriver::carry_out(std::uint64_t command_id, const std::string& method, const msg::Value& params,
                              Instant now, Instant deadline, DriverOutputs& out) {
  if (companion_ != nullptr && !is_output_method(method)) {
    return companion_->execute(command_id, method, params, now, deadline, out);
  }
  connection_->control.execute(command_id, method, params, now, deadline, out);
  serve_commands(now, out);
  if (!flush()) on_broken(now);
}

void WaylandDriver::serve_commands(Instant now, DriverOutputs& out) {
  OutputControl& control = connection_->control;
  if (state_ != State::kUp || control.is_idle()) return;
  control.serve(name(), connection_->mirror.outputs(), now, out);
  // A companion's manager sends when it is serviced next: its deadline says at once.
}

}  // namespace compositord::agent
