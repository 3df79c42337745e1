#include "agent/x11/x_reload.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xcb/xfixes.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "agent/process/process_environment.h"
#include "agent/process/process_stat.h"
#include "common/base/log_event.h"

namespace compositord::agent::x11 {

namespace {

constexpr std::size_t kComplaintBytesMax = 512;
// openbox's own number for "reconfigure" in _OB_CONTROL. Source: openbox/openbox.c, where it reads its command line.
constexpr std::uint32_t kReconfigure = 1;

// Nothing, or why the signal can't be sent. Never to another process that has the pid by now.
std::string send_signal(const Peer& peer, int signal) {
  const auto pidfd = open_pidfd(peer);
  if (!pidfd) return pidfd.error().text;
  // A process without a handler dies of it.
  if (!has_handler(peer.pid, signal)) return "it does not listen to SIGUSR1 yet; try again";
  if (::syscall(SYS_pidfd_send_signal, pidfd->get(), signal, nullptr, 0) == 0) return {};
  return fmt::format("it can't be signalled: {}", std::strerror(errno));
}

}  // namespace

std::string picom_complaints_in(std::string_view log) {
  constexpr std::string_view kBefore = "ERROR ] ";
  std::string text;
  while (!log.empty() && text.size() < kComplaintBytesMax) {
    std::string_view line = log.substr(0, log.find('\n'));
    log.remove_prefix(std::min(log.size(), line.size() + 1));
    const std::size_t place = line.find(kBefore);
    if (place == std::string_view::npos) continue;
    line.remove_prefix(place + kBefore.size());
    text += (text.empty() ? "" : "; ") + escape_for_log(line);
  }
  return escape_for_log(text, kComplaintBytesMax);
}

std::vector<std::string> picom_check_arguments(const std::vector<std::string>& arguments) {
  std::vector<std::string> kept;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "-b" || argument == "--daemon") continue;
    const bool writes = argument.starts_with("--log-file") || argument.starts_with("--write-pid-path");
    if (writes && argument.find('=') == std::string::npos) ++i;  // its value
    if (!writes) kept.push_back(argument);
  }
  kept.emplace_back("--diagnostics");
  return kept;
}

void XReload::begin(std::uint64_t command_id, const msg::Value& params, std::vector<Target> targets, Instant now,
                    Instant deadline, DriverOutputs& out) {
  if (!command_.begin(command_id, params, now, deadline, out)) return;
  targets_ = std::move(targets);
  begin_target(now, out);
}

void XReload::begin_target(Instant now, DriverOutputs& out) {
  if (target().name == "openbox") return ask_openbox(now);
  const auto arguments = arguments_of(target().peer);
  if (!arguments) {
    return fail(Status::kFailed,
                "picom was not reloaded: its command line can't be read, so its configuration can't "
                "be checked, and with a bad one it would end",
                out);
  }
  auto check = ConfigCheck::start(target().peer, picom_check_arguments(*arguments), {"DISPLAY=" + display_});
  if (!check) {
    return fail(
        check.error().status,
        fmt::format("picom was not reloaded, because its configuration can't be checked: {}", check.error().text), out);
  }
  check_.emplace(std::move(*check));
  step_ = Step::kChecking;
}

void XReload::poll_fds(std::vector<pollfd>& fds) const {
  if (check_) check_->poll_fds(fds);
}

Instant XReload::next_deadline() const noexcept {
  return step_ == Step::kDone ? Instant{} : std::min({command_.deadline(), give_up_at_, tell_again_at_});
}

void XReload::service(Instant now, DriverOutputs& out) {
  if (step_ == Step::kChecking && now < command_.deadline()) take_verdict(now, out);
  if (step_ == Step::kDone) end_target(now, out);
  if (now >= tell_again_at_) {
    if (step_ == Step::kTold) tell_openbox();
    tell_again_at_ = now + kTellAgain;
  }
  if (is_waiting() && now >= give_up_at_) {
    const char* what = step_ == Step::kStarting
                           ? "is starting, and does not come to its end; it was told nothing"
                           : "was told to read its configuration again, and does not show that it has";
    return fail(Status::kFailed, fmt::format("{} {}", target().name, what), out);
  }
  if (command_.tick(now, out)) forget();
}

void XReload::take_verdict(Instant now, DriverOutputs& out) {
  auto verdict = check_->service();
  if (!verdict) return;
  check_.reset();
  if (!*verdict) return fail(Status::kFailed, fmt::format("picom was not reloaded: {}", verdict->error().text), out);
  if ((*verdict)->good) return tell_picom(now, out);
  const std::string complaints = picom_complaints_in((*verdict)->output);
  fail(Status::kFailed,
       fmt::format("picom was not reloaded, because it finds its configuration bad: {}",
                   complaints.empty() ? escape_for_log((*verdict)->output, kComplaintBytesMax) : complaints),
       out);
}

void XReload::tell_picom(Instant now, DriverOutputs& out) {
  if (std::string why = send_signal(target().peer, SIGUSR1); !why.empty()) {
    return fail(Status::kFailed, fmt::format("picom was not reloaded: {}", why), out);
  }
  is_taken_anew_ = false;
  step_ = Step::kTold;
  give_up_at_ = now + kReloadTime;
}

void XReload::ask_openbox(Instant now) {
  all_checked_ = false;
  step_ = Step::kStarting;
  tell_again_at_ = now + kTellAgain;
  give_up_at_ = now + kReloadTime;
  const auto theme = xcb_get_property(connection_.xcb(), 0, connection_.screen()->root, atoms_.openbox_theme,
                                      XCB_GET_PROPERTY_TYPE_ANY, 0, 0);
  asked_ = theme.sequence;
  connection_.expect(theme, [this, asked = asked_](const void* reply) {
    const auto* property = static_cast<const xcb_get_property_reply_t*>(reply);
    const bool is_set = property != nullptr && property->type != XCB_ATOM_NONE;
    if (step_ == Step::kStarting && asked_ == asked && is_set) tell_openbox();
  });
}

void XReload::tell_openbox() {
  const xcb_window_t root = connection_.screen()->root;
  xcb_client_message_event_t message{};
  message.response_type = XCB_CLIENT_MESSAGE;
  message.format = 32;
  message.window = root;
  message.type = atoms_.openbox_control;
  message.data.data32[0] = kReconfigure;
  const auto sent = xcb_send_event(connection_.xcb(), 0, root,
                                   XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY | XCB_EVENT_MASK_SUBSTRUCTURE_REDIRECT,
                                   reinterpret_cast<const char*>(&message));
  asked_ = sent.sequence;
  step_ = Step::kTold;
}

void XReload::on_openbox_theme(std::uint32_t sequence) {
  // Older news, as of its start, may still be on its way to us.
  if (static_cast<std::int32_t>(sequence - asked_) < 0) return;
  if (step_ == Step::kStarting) return tell_openbox();
  step_ = Step::kDone;
}

void XReload::on_event(const xcb_generic_event_t& event) {
  if (!is_waiting()) return;
  const std::uint8_t kind = event.response_type & 0x7fU;
  if (kind == XCB_PROPERTY_NOTIFY && target().name == "openbox") {
    const auto& notify = reinterpret_cast<const xcb_property_notify_event_t&>(event);
    if (notify.atom == atoms_.openbox_theme && notify.state == XCB_PROPERTY_NEW_VALUE)
      on_openbox_theme(event.full_sequence);
  }
  if (xfixes_first_event_ && kind == *xfixes_first_event_ + XCB_XFIXES_SELECTION_NOTIFY) {
    const auto& notify = reinterpret_cast<const xcb_xfixes_selection_notify_event_t&>(event);
    if (notify.selection == atoms_.compositing_manager && notify.owner != XCB_WINDOW_NONE) is_taken_anew_ = true;
  }
}

void XReload::on_roles(const ScreenRoles& roles) {
  const RoleWindow& manager = roles.compositing_manager;
  if (step_ != Step::kTold || target().name != "picom" || !is_taken_anew_) return;
  if (manager.window != XCB_WINDOW_NONE && manager.pid == target().peer.pid) step_ = Step::kDone;
}

void XReload::end_target(Instant now, DriverOutputs& out) {
  done_ += done_.empty() ? "" : "; ";
  done_ += target().name == "picom" ? "picom got SIGUSR1, and has begun to composite anew"
                                    : "openbox got _OB_CONTROL, and has set its theme anew";
  targets_.erase(targets_.begin());
  step_ = Step::kIdle;
  tell_again_at_ = give_up_at_ = kNever;
  if (!targets_.empty()) return begin_target(now, out);
  command_.succeed(std::move(done_), all_checked_, out);
  forget();
}

void XReload::on_gone(DriverOutputs& out) {
  command_.on_gone(out);
  forget();
}

void XReload::fail(Status status, std::string error, DriverOutputs& out) {
  command_.fail(status, done_.empty() ? std::move(error) : fmt::format("{}; {}", done_, error), out);
  forget();
}

void XReload::forget() {
  check_.reset();
  targets_.clear();
  done_.clear();
  all_checked_ = true;
  step_ = Step::kIdle;
  tell_again_at_ = give_up_at_ = kNever;
}

}  // namespace compositord::agent::x11
