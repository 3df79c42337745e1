#include "agent/sway/reload.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "agent/sway/ipc_model.h"
#include "common/base/log_event.h"

namespace compositord::agent::sway {

namespace {

constexpr std::size_t kComplaintBytesMax = 512;

// The second sway would otherwise look for a screen: on a seat, or as a window of the first one.
std::vector<std::string> screenless() {
  return {"WLR_BACKENDS=headless", "WLR_RENDERER=pixman", "WLR_LIBINPUT_NO_DEVICES=1", "WLR_HEADLESS_OUTPUTS=1"};
}

}  // namespace

std::string complaints_in(std::string_view log) {
  std::string text;
  while (!log.empty() && text.size() < kComplaintBytesMax) {
    std::string_view line = log.substr(0, log.find('\n'));
    log.remove_prefix(std::min(log.size(), line.size() + 1));
    const std::size_t place = line.find("[sway/");
    if (place == std::string_view::npos || line.find("[ERROR]") > place) continue;
    line.remove_prefix(std::min(line.size(), line.find("] ", place)));
    if (line.starts_with("] ")) line.remove_prefix(2);
    text += (text.empty() ? "" : "; ") + escape_for_log(line);
  }
  return escape_for_log(text, kComplaintBytesMax);
}

void Reload::on_version(const std::string& payload) { loaded_file_ = parse_config_file(payload); }

std::string Reload::obstacle() const {
  return loaded_file_.empty() ? "sway does not tell which configuration it has loaded" : "";
}

void Reload::begin(std::uint64_t command_id, const msg::Value& params, const Peer& sway, Instant now, Instant deadline,
                   DriverOutputs& out) {
  if (!command_.begin(command_id, params, now, deadline, out)) return;
  config_file_ = loaded_file_;
  auto check = ConfigCheck::start(sway, {"-C", "-c", config_file_}, screenless());
  if (!check) {
    return fail(check.error().status,
                fmt::format("sway's configuration can't be checked, so it was not reloaded: {}", check.error().text),
                out);
  }
  check_.emplace(std::move(*check));
  step_ = Step::kChecking;
}

void Reload::poll_fds(std::vector<pollfd>& fds) const {
  if (check_) check_->poll_fds(fds);
}

Instant Reload::next_deadline() const noexcept { return std::min(command_.deadline(), give_up_at_); }

void Reload::service(Instant now, DriverOutputs& out) {
  if (step_ == Step::kChecking && now < command_.deadline()) {
    auto verdict = check_->service();
    if (!verdict) return;
    check_.reset();
    if (!*verdict) return fail(Status::kFailed, fmt::format("sway was not reloaded: {}", verdict->error().text), out);
    if (!(*verdict)->good) {
      const std::string complaints = complaints_in((*verdict)->output);
      return fail(Status::kFailed,
                  fmt::format("sway was not reloaded, because it finds its configuration {} bad: {}",
                              escape_for_log(config_file_),
                              complaints.empty() ? escape_for_log((*verdict)->output) : complaints),
                  out);
    }
    step_ = Step::kAsk;
  }
  if (step_ == Step::kAccepted && now >= give_up_at_) {
    return fail(Status::kFailed, "sway accepted it and did not tell that it has reloaded", out);
  }
  if (command_.tick(now, out)) forget();
}

std::string Reload::take_request() {
  if (step_ != Step::kAsk) return {};
  step_ = Step::kAsked;
  return "reload";
}

void Reload::on_reply(const std::string& payload, bool events, Instant now, DriverOutputs& out) {
  if (step_ != Step::kAsked) return;  // to one that has ended by its deadline, or its event was faster
  const auto refusal = parse_command_errors(payload);
  if (!refusal) return fail(Status::kFailed, refusal.error().text, out);
  if (!refusal->empty()) return fail(Status::kFailed, fmt::format("sway refused to reload: {}", *refusal), out);
  if (!events) return succeed("sway's IPC accepted \"reload\"", out);
  step_ = Step::kAccepted;
  give_up_at_ = now + kReloadTime;
}

void Reload::on_reloaded(bool, DriverOutputs& out) {
  if (step_ == Step::kAsked || step_ == Step::kAccepted) succeed("sway has reloaded, and told so by its event", out);
}

void Reload::on_connection_lost(DriverOutputs& out) {
  if (step_ == Step::kAsked || step_ == Step::kAccepted) {
    fail(Status::kFailed, "the connection to sway's IPC was lost; whether it has reloaded is unknown", out);
  }
}

void Reload::on_gone(DriverOutputs& out) {
  command_.on_gone(out);
  forget();
}

void Reload::succeed(std::string_view how, DriverOutputs& out) {
  command_.succeed(fmt::format("{}: {}", how, escape_for_log(config_file_)), true, out);
  forget();
}

void Reload::fail(Status status, std::string error, DriverOutputs& out) {
  command_.fail(status, std::move(error), out);
  forget();
}

void Reload::forget() {
  check_.reset();
  step_ = Step::kIdle;
  give_up_at_ = kNever;
}

}  // namespace compositord::agent::sway
