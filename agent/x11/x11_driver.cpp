#include "agent/x11/x11_driver.h"

#include <xcb/randr.h>
#include <xcb/res.h>
#include <xcb/xfixes.h>

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "agent/output/reload_command.h"
#include "agent/process/known_exit.h"
#include "agent/x11/root_capture.h"
#include "agent/x11/server_facts.h"
#include "agent/x11/x_authority.h"
#include "agent/x11/x_display_name.h"

namespace compositord::agent::x11 {

namespace {

constexpr std::size_t kExtensionsMax = 256;
constexpr std::size_t kOutputsRememberedMax = 256;

// The client of a log line that a constructor writes.
XClient watch_server(Peer peer, std::vector<LogEvent>& log) {
  DriverOutputs early;
  XClient client(std::move(peer), early);
  std::move(early.log.begin(), early.log.end(), std::back_inserter(log));
  return client;
}

}  // namespace

Result<std::unique_ptr<Driver>> make_x11_driver(ConnectedDisplay display, Instant now) {
  auto peer = identify_peer(display.socket.get());
  if (!peer) return tl::unexpected(peer.error());
  return std::unique_ptr<Driver>(
      std::make_unique<X11Driver>(std::move(display.socket), x_display_of_socket(display.name), std::move(*peer), now));
}

X11Driver::X11Driver(FileDescriptor socket, std::string display, Peer server, Instant now)
    : display_(std::move(display)),
      greeting_late_at_(now + kGreetingLate),
      connection_(std::move(socket), x_setup_request(find_x_cookie(display_))),
      server_(watch_server(std::move(server), pending_log_)),
      screenshots_([this](const ScreenshotRequest& request) { return begin_capture(request); }) {}

void X11Driver::poll_fds(std::vector<pollfd>& fds) const {
  if (state_ == State::kGone) return;
  if (state_ != State::kEnding) connection_.poll_fds(fds);
  server_.poll_fds(fds);
  if (state_ == State::kEnding) return;  // nobody reads the others any more
  screenshots_.poll_fds(fds);
  if (reload_) reload_->poll_fds(fds);
  if (compositing_manager_) compositing_manager_->poll_fds(fds);
  if (window_manager_) window_manager_->poll_fds(fds);
}

Instant X11Driver::next_deadline() const noexcept {
  if (state_ == State::kGone) return kNever;
  Instant next = std::min(server_.next_deadline(), end_wait_.next_deadline());
  if (state_ == State::kEnding) return next;
  if (state_ != State::kUp) next = std::min(next, greeting_late_at_);
  if (compositing_manager_) next = std::min(next, compositing_manager_->next_deadline());
  if (window_manager_) next = std::min(next, window_manager_->next_deadline());
  if (probe_) next = std::min(next, probe_->next_deadline());
  if (runner_) next = std::min(next, runner_->next_deadline());
  next = std::min(next, screenshots_.next_deadline());
  if (identify_) next = std::min(next, identify_->next_deadline());
  if (reload_) next = std::min(next, reload_->next_deadline());
  if (windows_) next = std::min(next, windows_->next_deadline());
  return std::min({next, roles_wait_until_, describe_not_before_});
}

void X11Driver::service(Instant now, DriverOutputs& out) {
  if (state_ == State::kGone) return;
  std::move(pending_log_.begin(), pending_log_.end(), std::back_inserter(out.log));
  pending_log_.clear();
  // First: when the server dies its clients end as well, and by then its socket tells so.
  if (state_ != State::kEnding) pump(now);
  check_end(now, out);
  if (state_ == State::kEnding || state_ == State::kGone) return;
  advance();
  take_roles(now, out);
  check_versions(now);
  check_probe(now, out);
  if (runner_) runner_->service(now, out);
  screenshots_.service(now, out);
  if (identify_) identify_->service(now, out);
  if (reload_) reload_->service(now, out);
  if (windows_) windows_->service(now, out);
  if (clients_) clients_->service(out);
  read_what_changed();
  describe_if_due(now, out);
  if (auto flushed = connection_.flush(); !flushed) on_broken(flushed.error().text, now);
  if (state_ != State::kUp && now >= greeting_late_at_) {
    greeting_late_at_ = kNever;
    out.log.push_back(LogEvent(Severity::kWarning, "x11.greeting_late").with("display", display_));
  }
}

void X11Driver::pump(Instant now) {
  std::vector<XOwned<xcb_generic_event_t>> events;
  const auto serviced = connection_.service(events);
  for (const auto& event : events) on_event(*event);
  if (!serviced) on_broken(serviced.error().text, now);
}

void X11Driver::on_broken(std::string text, Instant now) {
  broken_text_ = std::move(text);
  state_ = State::kEnding;
  end_wait_.begin(now);
}

// --- the beginning ---

void X11Driver::advance() {
  if (state_ == State::kSetup && connection_.is_set_up()) begin_naming();
  if (state_ == State::kNaming && names_answered_) begin_reading();
}

void X11Driver::begin_naming() {
  state_ = State::kNaming;
  xcb_connection_t* xcb = connection_.xcb();
  for (xcb_extension_t* extension : {&xcb_randr_id, &xcb_xfixes_id, &xcb_res_id, &xcb_input_id}) {
    xcb_prefetch_extension_data(xcb, extension);
  }
  ask_atoms(connection_, atoms_);
  connection_.expect(xcb_list_extensions(xcb), [this](const void* reply) { take_extension_names(reply); });
  // The last question: with its answer all others are answered, and the prefetched extensions are known.
  connection_.expect(xcb_get_input_focus(xcb), [this](const void*) { names_answered_ = true; });
}

void X11Driver::take_extension_names(const void* reply) {
  if (reply == nullptr) return;
  const auto* list = static_cast<const xcb_list_extensions_reply_t*>(reply);
  for (auto it = xcb_list_extensions_names_iterator(list); it.rem > 0; xcb_str_next(&it)) {
    if (extension_names_.size() >= kExtensionsMax) break;
    extension_names_.emplace_back(xcb_str_name(it.data), static_cast<std::size_t>(xcb_str_name_length(it.data)));
  }
  std::sort(extension_names_.begin(), extension_names_.end());
}

void X11Driver::begin_reading() {
  state_ = State::kReading;
  xcb_connection_t* xcb = connection_.xcb();
  const auto present = [&](xcb_extension_t* extension) {
    const xcb_query_extension_reply_t* data = xcb_get_extension_data(xcb, extension);
    return data != nullptr && data->present != 0 ? data : nullptr;
  };
  // Each wants to hear the client's version before anything else. Requests of an extension that isn't there would make
  // XCB give up the connection.
  if (const auto* randr = present(&xcb_randr_id)) {
    extensions_.randr = true;
    extensions_.randr_first_event = randr->first_event;
    connection_.expect(xcb_randr_query_version(xcb, 1, 5), [](const void*) {});
  }
  if (const auto* xfixes = present(&xcb_xfixes_id)) {
    extensions_.xfixes = true;
    extensions_.xfixes_first_event = xfixes->first_event;
    connection_.expect(xcb_xfixes_query_version(xcb, 4, 0), [](const void*) {});
  }
  if (present(&xcb_res_id) != nullptr) {
    extensions_.xres = true;
    connection_.expect(xcb_res_query_version(xcb, 1, 2), [](const void*) {});
    clients_.emplace(connection_);
  }
  if (const auto* xinput = present(&xcb_input_id)) {
    extensions_.xinput = true;
    extensions_.xinput_opcode = xinput->major_opcode;
    connection_.expect(xcb_input_xi_query_version(xcb, 2, 0), [](const void*) {});
  }
  listen();
  probe_.emplace(connection_, atoms_);
  identify_.emplace(connection_, extensions_.xfixes);
  windows_.emplace(connection_, atoms_);
  reload_.emplace(connection_, atoms_, display_,
                  extensions_.xfixes ? std::optional(extensions_.xfixes_first_event) : std::nullopt);
  if (extensions_.randr) runner_.emplace(connection_, atoms_.edid);
  want_roles_ = true;
  want_outputs_ = extensions_.randr;
  want_inputs_ = extensions_.xinput;
}

void X11Driver::listen() {
  xcb_connection_t* xcb = connection_.xcb();
  const xcb_window_t root = connection_.screen()->root;
  constexpr std::uint32_t kEvents = XCB_EVENT_MASK_PROPERTY_CHANGE;  // _NET_SUPPORTING_WM_CHECK
  xcb_change_window_attributes(xcb, root, XCB_CW_EVENT_MASK, &kEvents);
  if (extensions_.xfixes) {
    constexpr std::uint32_t kOwners = XCB_XFIXES_SELECTION_EVENT_MASK_SET_SELECTION_OWNER |
                                      XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_WINDOW_DESTROY |
                                      XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_CLIENT_CLOSE;
    xcb_xfixes_select_selection_input(xcb, root, atoms_.compositing_manager, kOwners);
    xcb_xfixes_select_selection_input(xcb, root, atoms_.window_manager, kOwners);
  }
  if (extensions_.randr) {
    constexpr std::uint16_t kChanges =
        XCB_RANDR_NOTIFY_MASK_SCREEN_CHANGE | XCB_RANDR_NOTIFY_MASK_CRTC_CHANGE | XCB_RANDR_NOTIFY_MASK_OUTPUT_CHANGE;
    xcb_randr_select_input(xcb, root, kChanges);
  }
  if (extensions_.xinput) listen_to_inputs(connection_);
}

// --- what changes ---

void X11Driver::on_event(const xcb_generic_event_t& event) {
  const std::uint8_t kind = event.response_type & 0x7fU;
  if (kind == XCB_PROPERTY_NOTIFY) {
    const auto& notify = reinterpret_cast<const xcb_property_notify_event_t&>(event);
    if (notify.atom == atoms_.supporting_wm_check) want_roles_ = true;
  }
  if (kind == XCB_DESTROY_NOTIFY) want_roles_ = true;  // the window manager's, also one not adopted yet, or our own
  if (extensions_.xfixes && kind == extensions_.xfixes_first_event + XCB_XFIXES_SELECTION_NOTIFY) want_roles_ = true;
  if (extensions_.randr && (kind == extensions_.randr_first_event + XCB_RANDR_SCREEN_CHANGE_NOTIFY ||
                            kind == extensions_.randr_first_event + XCB_RANDR_NOTIFY)) {
    want_outputs_ = true;
  }
  if (extensions_.xinput && is_input_change(event, extensions_.xinput_opcode)) want_inputs_ = true;
  if (probe_) probe_->on_event(event);
  if (identify_) identify_->on_event(event);
  if (reload_) reload_->on_event(event);
}

void X11Driver::read_what_changed() {
  if (state_ != State::kReading && state_ != State::kUp) return;
  if (want_roles_ && !reading_roles_) {
    want_roles_ = false;
    reading_roles_ = true;
    read_screen_roles(connection_, atoms_, extensions_.xres, [this](ScreenRoles roles) {
      reading_roles_ = false;
      roles_read_ = std::move(roles);
    });
  }
  if (want_outputs_ && !reading_outputs_) {
    want_outputs_ = false;
    reading_outputs_ = true;
    read_screen_outputs(connection_, atoms_.edid, [this](std::optional<ScreenOutputs> outputs) {
      reading_outputs_ = false;
      changed_ = true;
      if (outputs) outputs_ = std::move(outputs);
    });
  }
  read_inputs();
}

void X11Driver::read_inputs() {
  if (!want_inputs_ || reading_inputs_) return;
  want_inputs_ = false;
  reading_inputs_ = true;
  read_screen_inputs(connection_, [this](std::optional<std::vector<msg::InputDevice>> inputs) {
    reading_inputs_ = false;
    changed_ = true;
    if (inputs) inputs_ = std::move(inputs);
  });
}

void X11Driver::take_roles(Instant now, DriverOutputs& out) {
  if (!roles_read_) return;
  if (lost_watched(*roles_read_)) {
    // picom gives its role up while it begins anew.
    if (roles_wait_until_ == kNever || (reload_ && reload_->is_waiting())) roles_wait_until_ = now + kEndWait;
    if (now < roles_wait_until_) return;
  }
  roles_wait_until_ = kNever;
  const ScreenRoles roles = std::move(*roles_read_);
  roles_read_.reset();
  adopt(compositing_manager_, roles.compositing_manager, now, out);
  adopt(window_manager_, roles.window_manager, now, out);
  if (reload_) reload_->on_roles(roles);
  changed_ = true;
  if (state_ == State::kReading) state_ = State::kUp;
}

// Whether the watched process no longer has its role, and nobody took it over from it.
bool X11Driver::lost_watched(const ScreenRoles& roles) const {
  if (compositing_manager_) return roles.compositing_manager.window == XCB_WINDOW_NONE;
  return window_manager_ && roles.window_manager.window == XCB_WINDOW_NONE;
}

void X11Driver::adopt(std::optional<XClient>& client, const RoleWindow& window, Instant now, DriverOutputs& out) {
  if (window.window == XCB_WINDOW_NONE) return client.reset();
  // Without a pid, or with that of another pid namespace, it is known by its window alone.
  const Peer peer = window.pid > 0 ? identify_process(window.pid).value_or(Peer{}) : Peer{};
  if (client && client->is_same_process(peer)) return client->set_window(window);
  // Its owner ended between the question for the window and the one for the pid: the kernel will tell how.
  if (client && window.pid <= 0 && client->has_window(window.window)) return;
  client.reset();
  client.emplace(peer, window, now, out);
  describe_not_before_ = now + kVersionWait;
}

void X11Driver::check_versions(Instant now) {
  for (std::optional<XClient>* client : {&compositing_manager_, &window_manager_}) {
    if (*client && (*client)->service(now)) changed_ = true;
  }
}

const ScreenOutputs& X11Driver::screen() const {
  static const ScreenOutputs nothing;
  return outputs_ ? *outputs_ : nothing;
}

// --- the end ---

XClient* X11Driver::watched() {
  if (compositing_manager_) return &*compositing_manager_;
  return window_manager_ ? &*window_manager_ : nullptr;
}

const XClient& X11Driver::named() const {
  if (compositing_manager_) return *compositing_manager_;
  return window_manager_ ? *window_manager_ : server_;
}

void X11Driver::check_end(Instant now, DriverOutputs& out) {
  check_server_end(now, out);
  if (state_ == State::kGone || state_ == State::kEnding) return;
  if (XClient* client = watched()) {
    if (const auto end = client->check_end(now)) {
      return say_gone({*end, describe_end_of(client->name(), *end), is_known_exit(client->name(), *end)}, out);
    }
  }
  // Beside a compositing manager it is not watched; but it is polled, and who has its role now is asked once.
  if (!window_manager_) return;
  if (const auto end = window_manager_->take_end(now)) {
    want_roles_ = true;
    out.log.push_back(LogEvent(Severity::kInfo, "x11.window_manager_ended")
                          .with("display", display_)
                          .with("name", window_manager_->name())
                          .with("how", describe_end(*end)));
  }
}

void X11Driver::check_server_end(Instant now, DriverOutputs& out) {
  const std::string who = watched() == nullptr ? "" : "its X server was lost: ";
  if (const auto end = server_.check_end(now)) return say_gone({*end, who + describe_end(*end)}, out);
  if (state_ != State::kEnding) return;
  if (server_.is_over(end_wait_, now)) say_gone({ProcessEnd{}, who + broken_text_}, out);
}

void X11Driver::say_gone(driver_event::Gone gone, DriverOutputs& out) {
  state_ = State::kGone;
  if (runner_) runner_->on_gone(out);
  if (identify_) identify_->on_gone(out);
  if (reload_) reload_->on_gone(out);
  if (windows_) windows_->on_gone(out);
  screenshots_.on_gone("the display", out);
  out.events.emplace_back(std::move(gone));
}

// --- progress ---

void X11Driver::start_probe(Instant now, DriverOutputs&) {
  if (!probe_ || probe_->is_running() || state_ == State::kEnding || state_ == State::kGone) return;
  probe_->start();
  if (auto flushed = connection_.flush(); !flushed) on_broken(flushed.error().text, now);
}

ProgressProbe::Target X11Driver::probe_target() const {
  ProgressProbe::Target target;
  if (compositing_manager_ || window_manager_) target.client = &named();
  target.composites = compositing_manager_.has_value();
  target.manages =
      window_manager_ && target.client != nullptr && target.client->is_same_process(window_manager_->peer());
  for (const ScreenCrtc& crtc : screen().crtcs) {
    if (crtc.mode == XCB_NONE || target.corner) continue;
    target.corner.emplace(static_cast<std::int16_t>(crtc.x), static_cast<std::int16_t>(crtc.y));
  }
  return target;
}

void X11Driver::check_probe(Instant now, DriverOutputs& out) {
  if (probe_ && probe_->service(probe_target(), now)) out.events.emplace_back(driver_event::ProbeAnswered{});
}

void X11Driver::look_at_process(DriverOutputs& out) {
  driver_event::CauseSeen seen = server_.look();
  if (const XClient* client = watched()) {
    // The process fact is the compositor's; of a server that is stuck only the cause speaks.
    if (seen.stopped) {
      seen = {false, "its X server is stopped"};
    } else {
      seen = client->look();
    }
  }
  out.events.emplace_back(std::move(seen));
}

void X11Driver::count_clients(Instant now, DriverOutputs&) {
  if (!clients_ || state_ == State::kEnding || state_ == State::kGone) return;
  clients_->begin();
  if (auto flushed = connection_.flush(); !flushed) on_broken(flushed.error().text, now);
}

// --- the description ---

void X11Driver::describe_if_due(Instant now, DriverOutputs& out) {
  const bool asking = (compositing_manager_ && compositing_manager_->is_asking_version()) ||
                      (window_manager_ && window_manager_->is_asking_version());
  if (!asking || now >= describe_not_before_) describe_not_before_ = kNever;
  const bool outputs_awaited = extensions_.randr && !outputs_ && reading_outputs_;
  const bool inputs_awaited = !inputs_ && reading_inputs_;
  if (state_ != State::kUp || describe_not_before_ != kNever || outputs_awaited || inputs_awaited) return;
  if (!std::exchange(changed_, false)) return;
  msg::Manifest next = manifest();
  if (!described_ || !(*described_ == next)) {
    described_ = std::move(next);
    out.events.emplace_back(driver_event::Described{*described_});
  }
  describe_outputs(out);
}

void X11Driver::describe_outputs(DriverOutputs& out) {
  OutputStates next = output_states_;
  for (auto& [name, state] : next) state = msg::OutputState::kDisconnected;
  for (const ScreenOutput& output : screen().outputs) {
    if (!output.is_connected && !output.output.current_mode) continue;
    const msg::OutputState state = output.output.current_mode ? msg::OutputState::kOn : msg::OutputState::kOff;
    const auto known =
        std::find_if(next.begin(), next.end(), [&](const auto& s) { return s.first == output.output.name; });
    if (known != next.end()) {
      known->second = state;
    } else if (next.size() < kOutputsRememberedMax) {
      next.emplace_back(output.output.name, state);
    }
  }
  if (next == output_states_) return;
  output_states_ = std::move(next);
  out.events.emplace_back(driver_event::OutputsChanged{output_states_});
}

msg::Manifest X11Driver::manifest() const {
  const xcb_setup_t* setup = connection_.setup();
  const std::string vendor(xcb_setup_vendor(setup), static_cast<std::size_t>(xcb_setup_vendor_length(setup)));
  msg::Part server = server_.part("server");
  server.vendor = vendor;
  server.version = server_version(vendor, setup->release_number);

  msg::Manifest m;
  const XClient& compositor = named();
  m.name = compositor.name();
  m.version = compositor.version();
  m.version_source = compositor.version_source();
  if (&compositor == &server_) {
    m.version = server.version;
    m.version_source = "setup";
  }
  m.kind = msg::DisplayKind::kX11;
  m.display = display_;
  m.pid = static_cast<std::uint64_t>(std::max<pid_t>(compositor.peer().pid, 0));
  m.executable = compositor.peer().executable;
  m.driver = "x11";
  for (const std::string& name : extension_names_) m.protocols.push_back({name, 0});
  for (const ScreenOutput& output : screen().outputs) {
    if (output.is_connected || output.output.current_mode) m.outputs.push_back(output.output);
  }
  if (inputs_) m.inputs = *inputs_;
  m.commands = commands();
  m.parts.emplace().push_back(std::move(server));
  if (compositing_manager_) m.parts->push_back(compositing_manager_->part("compositing_manager"));
  if (window_manager_) m.parts->push_back(window_manager_->part("window_manager"));
  return m;
}

std::vector<msg::CommandSupport> X11Driver::commands() const {
  std::vector<msg::CommandSupport> list = randr_commands(extensions_.randr, screen());
  const auto layout = connection_.is_set_up() ? root_layout(connection_) : Result<PixelLayout>{};
  list.push_back({std::string(kScreenshotCommand), layout.has_value(), layout ? "" : layout.error().text});
  const bool can_reload = !reload_targets().empty();
  list.push_back(
      {std::string(kReloadMethod), can_reload,
       can_reload ? ""
                  : fmt::format("this agent knows no way to make {} read its configuration again", named().name())});
  // Without RandR there is nothing that tells where its screens are.
  const char* reason = extensions_.randr ? "" : "this X server has no RandR extension";
  list.push_back({std::string(kIdentifyName), extensions_.randr, reason});
  list.push_back(WindowReader::support(window_manager_.has_value()));
  return list;
}

std::vector<XReload::Target> X11Driver::reload_targets() const {
  std::vector<XReload::Target> targets;
  for (const std::optional<XClient>* client : {&compositing_manager_, &window_manager_}) {
    // Without its pid nobody knows whom the signal would reach, nor whose answer comes.
    if (!*client || (*client)->peer().pid <= 0 || !XReload::can_reload((*client)->name())) continue;
    // Without XFixes nobody tells that picom has begun anew.
    if (client == &compositing_manager_ && !extensions_.xfixes) continue;
    targets.push_back({(*client)->name(), (*client)->peer()});
  }
  return targets;
}

Result<std::unique_ptr<Capture>> X11Driver::begin_capture(const ScreenshotRequest& request) {
  if (state_ != State::kReading && state_ != State::kUp) {
    return fail(Status::kNotConnected, "the X server has not answered yet");
  }
  const auto layout = root_layout(connection_);
  if (!layout) return tl::unexpected(layout.error());
  auto area = root_area(screen(), request);
  if (!area) return tl::unexpected(area.error());
  return std::make_unique<RootCapture>(connection_, *layout, std::move(*area));
}

void X11Driver::execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
                        Instant deadline, DriverOutputs& out) {
  const auto known = commands();
  const auto command = std::find_if(known.begin(), known.end(), [&](const auto& c) { return c.name == method; });
  if (method == kIdentifyName && identify_ && extensions_.randr) {
    identify_->execute(command_id, params, screen(), now, deadline, out);
    if (auto flushed = connection_.flush(); !flushed) on_broken(flushed.error().text, now);
    return;
  }
  if (method == kScreenshotCommand && command->supported) {
    screenshots_.execute(command_id, params, now, deadline, out);
    if (auto flushed = connection_.flush(); !flushed) on_broken(flushed.error().text, now);
    return;
  }
  if (method == kWindowsName && windows_ && command->supported) {
    windows_->execute(command_id, params, screen(), now, deadline, out);
    if (auto flushed = connection_.flush(); !flushed) on_broken(flushed.error().text, now);
    return;
  }
  if (method == kReloadMethod && reload_ && command->supported) {
    reload_->begin(command_id, params, reload_targets(), now, deadline, out);
    if (auto flushed = connection_.flush(); !flushed) on_broken(flushed.error().text, now);
    return;
  }
  if (runner_ && (command == known.end() || command->supported)) {
    runner_->execute(command_id, method, params, now, deadline, out);
    runner_->service(now, out);
    if (auto flushed = connection_.flush(); !flushed) on_broken(flushed.error().text, now);
    return;
  }
  driver_event::CommandFinished finished;
  finished.command_id = command_id;
  finished.status = command == known.end() ? Status::kNotFound : Status::kUnsupported;
  finished.error =
      command == known.end() ? fmt::format("there is no command \"{}\"", escape_for_log(method, 64)) : command->reason;
  out.events.emplace_back(std::move(finished));
}

}  // namespace compositord::agent::x11
