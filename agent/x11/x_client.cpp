#include "agent/x11/x_client.h"

#include <algorithm>
#include <utility>

namespace compositord::agent::x11 {

XClient::XClient(Peer peer, DriverOutputs& out) : peer_(std::move(peer)) { watch(out); }

XClient::XClient(Peer peer, RoleWindow window, Instant now, DriverOutputs& out)
    : peer_(std::move(peer)), window_(std::move(window)) {
  watch(out);
  if (!window_.version.empty()) {
    const bool has_v = window_.version.starts_with('v');  // picom says "v9.1"
    set_version(window_.version.substr(has_v ? 1 : 0), "property");
    return;
  }
  // xcompmgr knows no such option, and the numbers in its help text are no version.
  if (executable_name(peer_.executable) == "xcompmgr") return;
  auto query = VersionQuery::start(peer_, now);
  if (query) {
    query_.emplace(std::move(*query));
  } else {
    out.log.push_back(LogEvent(Severity::kInfo, "process.no_version").with("why", query.error().text));
  }
}

void XClient::watch(DriverOutputs& out) {
  auto watch = ProcessWatch::open(peer_);
  if (watch) {
    watch_.emplace(std::move(*watch));
  } else {
    out.log.push_back(LogEvent(Severity::kWarning, "process.not_watched").with("why", watch.error().text));
  }
}

void XClient::poll_fds(std::vector<pollfd>& fds) const {
  if (watch_) watch_->poll_fds(fds);
  if (query_) query_->poll_fds(fds);
}

Instant XClient::next_deadline() const noexcept {
  Instant next = kNever;
  if (watch_) next = std::min(next, watch_->next_deadline());
  if (query_) next = std::min(next, query_->next_deadline());
  return next;
}

bool XClient::service(Instant now) {
  if (!query_) return false;
  const auto version = query_->service(now);
  if (!version) return false;
  query_.reset();
  if (!version->empty()) set_version(*version, "executable");
  return true;
}

std::optional<ProcessEnd> XClient::check_end(Instant now) { return watch_ ? watch_->service(now) : std::nullopt; }

std::optional<ProcessEnd> XClient::take_end(Instant now) {
  const auto end = check_end(now);
  return end && !std::exchange(is_end_taken_, true) ? end : std::nullopt;
}

bool XClient::is_same_process(const Peer& peer) const noexcept {
  return peer.pid == peer_.pid && peer.start_time_ticks == peer_.start_time_ticks;
}

void XClient::set_version(std::string version, std::string source) {
  version_ = std::move(version);
  version_source_ = std::move(source);
}

std::string XClient::name() const {
  std::string name = executable_name(peer_.executable);
  if (name.empty()) name = window_.name;
  return name.empty() ? "unknown" : name;
}

msg::Part XClient::part(const std::string& role) const {
  msg::Part part;
  part.role = role;
  part.name = name();
  part.version = version_;
  part.pid = static_cast<std::uint64_t>(std::max<pid_t>(peer_.pid, 0));
  part.executable = peer_.executable;
  return part;
}

}  // namespace compositord::agent::x11
