#include "agent/wayland/display_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "agent/process/peer.h"

namespace compositord::agent {

namespace {

// A compositor whose connections end at once is asked at most this often.
constexpr Duration kReconnectInterval = std::chrono::milliseconds(200);
constexpr std::size_t kCandidatesMax = 64;

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string file_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

DisplayWatch::DisplayWatch(DisplaySettings settings, DriverFactory factory)
    : settings_(std::move(settings)),
      factory_(std::move(factory)),
      inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  const std::string path = explicit_path();
  directory_ = path.empty() ? settings_.runtime_dir : directory_of(path);
}

std::string DisplayWatch::explicit_path() const {
  const std::string& name = settings_.wanted.empty() ? settings_.env_display : settings_.wanted;
  if (name.empty()) return {};
  return name.front() == '/' ? name : settings_.runtime_dir + "/" + name;
}

void DisplayWatch::poll_fds(std::vector<pollfd>& fds) const {
  if (state_ == State::kSearching && watch_ >= 0) fds.push_back(pollfd{inotify_.get(), POLLIN, 0});
}

void DisplayWatch::search_again(Instant now) {
  state_ = State::kSearching;
  stale_retry_ = kFirstRetry;
  last_log_.clear();
  next_look_ = std::max(now, not_before_);
}

void DisplayWatch::expect_session(pid_t leader, Instant now) {
  session_ = leader;
  if (state_ == State::kSearching) search_again(now);
}

bool DisplayWatch::is_expected(const ConnectedDisplay& display) const {
  if (!session_) return true;
  const auto peer = identify_peer(display.socket.get());
  return peer && *session_ > 0 && peer->pid > 0 && ::getsid(peer->pid) == *session_;
}

std::unique_ptr<Driver> DisplayWatch::service(Instant now, DriverOutputs& out) {
  if (state_ == State::kResting) return nullptr;
  drain_inotify(now);
  watch_directory(now);
  if (now < next_look_) return nullptr;
  auto display = look(now, out);
  if (!display) return nullptr;

  not_before_ = now + kReconnectInterval;
  const std::string path = display->socket_path;
  auto driver = factory_(std::move(*display), now);
  if (!driver) {
    log_once(out,
             LogEvent(Severity::kWarning, "display.no_driver").with("socket", path).with("why", driver.error().text));
    retry(now, kReconnectInterval);
    return nullptr;
  }
  out.log.push_back(LogEvent(Severity::kInfo, "display.connected").with("socket", path));
  connected_path_ = path;
  state_ = State::kResting;
  next_look_ = kNever;
  return std::move(*driver);
}

void DisplayWatch::watch_directory(Instant now) {
  if (watch_ >= 0 || !inotify_.is_open() || directory_.empty()) return;
  constexpr std::uint32_t kEvents =
      IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  watch_ = ::inotify_add_watch(inotify_.get(), directory_.c_str(), kEvents);
  if (watch_ >= 0) next_look_ = std::max(now, not_before_);  // what came before the watch makes no event
}

void DisplayWatch::drain_inotify(Instant now) {
  alignas(inotify_event) std::array<char, 4096> buffer{};
  bool something = false;
  for (;;) {
    const ssize_t n = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (n <= 0) break;
    something = true;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(n);) {
      const auto* event = reinterpret_cast<const inotify_event*>(&buffer[at]);
      // The directory itself is gone or elsewhere: its successor needs a watch of its own.
      if (event->wd == watch_ && (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) {
        if ((event->mask & IN_MOVE_SELF) != 0) ::inotify_rm_watch(inotify_.get(), watch_);
        watch_ = -1;
      }
      at += sizeof(inotify_event) + event->len;
    }
  }
  if (!something) return;
  stale_retry_ = kFirstRetry;
  next_look_ = std::max(now, not_before_);
}

std::optional<ConnectedDisplay> DisplayWatch::look(Instant now, DriverOutputs& out) {
  // Without a watch (no directory yet, or the user's inotify watches are used up) there is only the clock.
  next_look_ = watch_ < 0 ? now + kDirectoryRetry : kNever;
  if (watch_ < 0 && !settings_.abstract_too && !directory_.empty() && ::access(directory_.c_str(), F_OK) != 0) {
    log_once(out, LogEvent(Severity::kInfo, "display.waiting").with("for", "directory " + directory_));
    return std::nullopt;
  }
  const std::string path = explicit_path();
  return path.empty() ? scan(now, out) : look_at(path, now, out);
}

Result<FileDescriptor> DisplayWatch::connect(const std::string& path) const {
  auto fd = connect_unix(path);
  if (fd || !settings_.abstract_too) return fd;
  auto abstract = connect_unix("@" + path);
  // What there is of files says more than that there is no abstract socket either.
  return abstract || abstract.error().status == Status::kLimit ? std::move(abstract) : std::move(fd);
}

std::optional<ConnectedDisplay> DisplayWatch::look_at(const std::string& path, Instant now, DriverOutputs& out) {
  auto fd = connect(path);
  if (fd) return ConnectedDisplay{std::move(*fd), file_of(path), path};
  switch (fd.error().status) {
    case Status::kNotFound:
      log_once(out, LogEvent(Severity::kInfo, "display.waiting").with("for", path));
      if (settings_.abstract_too) retry(now, kStaleRetry);  // nothing tells that an abstract socket is there
      break;
    case Status::kConflict:
      log_once(out, LogEvent(Severity::kInfo, "display.stale").with("socket", path));
      retry_stale(now);
      break;
    default:
      log_once(out, LogEvent(Severity::kWarning, "display.refused").with("why", fd.error().text));
      retry(now, kStaleRetry);
  }
  return std::nullopt;
}

std::optional<ConnectedDisplay> DisplayWatch::scan(Instant now, DriverOutputs& out) {
  std::vector<ConnectedDisplay> accepting;
  if (session_ == 0) return std::nullopt;  // and nobody else's displays are bothered
  bool refused = false;
  std::vector<std::string> listening;  // a frozen compositor listens, too, when its backlog is full
  const std::vector<std::string> names = candidates();
  for (const std::string& name : names) {
    const std::string path = directory_ + "/" + name;
    auto fd = connect_unix(path);
    if (!fd) {
      // Who does not accept can't be told from others: of a compositor of ours, that is only for a moment.
      if (fd.error().status == Status::kLimit && !session_) listening.push_back(name);
      refused = true;
      continue;
    }
    ConnectedDisplay display{std::move(*fd), name, path};
    if (!is_expected(display)) continue;
    listening.push_back(name);
    accepting.push_back(std::move(display));
  }
  if (listening.size() == 1 && accepting.size() == 1) return std::move(accepting.front());
  if (listening.size() == 1) return look_at(directory_ + "/" + listening.front(), now, out);
  if (listening.size() > 1) {
    const std::string list = fmt::format("{}", fmt::join(listening, " "));
    log_once(out, LogEvent(Severity::kWarning, "display.ambiguous").with("displays", list).with("choose", "-w NAME"));
    retry(now, kAmbiguousRetry);
  } else if (session_) {
    const std::string whose = fmt::format("a display of process {} in {}", *session_, directory_);
    log_once(out, LogEvent(Severity::kInfo, "display.waiting").with("for", whose));
    if (refused) retry_stale(now);
  } else if (!names.empty()) {
    log_once(out, LogEvent(Severity::kInfo, "display.stale").with("socket", directory_ + "/" + names.front()));
    retry_stale(now);
  } else {
    log_once(out, LogEvent(Severity::kInfo, "display.waiting").with("for", directory_ + "/wayland-*"));
  }
  return std::nullopt;
}

std::vector<std::string> DisplayWatch::candidates() const {
  std::vector<std::string> names;
  DIR* directory = ::opendir(directory_.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    struct stat facts {};
    const bool is_socket = name.starts_with("wayland-") &&
                           ::fstatat(::dirfd(directory), entry->d_name, &facts, 0) == 0 && S_ISSOCK(facts.st_mode);
    if (is_socket && names.size() < kCandidatesMax) names.push_back(name);
  }
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

void DisplayWatch::retry(Instant now, Duration after) {
  next_look_ = std::min(next_look_ <= now ? kNever : next_look_, now + after);
}

void DisplayWatch::retry_stale(Instant now) {
  retry(now, stale_retry_);
  stale_retry_ = std::min(stale_retry_ * 2, kStaleRetry);
}

void DisplayWatch::log_once(DriverOutputs& out, LogEvent event) {
  std::string text = to_text(event);
  if (text == last_log_) return;
  last_log_ = std::move(text);
  out.log.push_back(std::move(event));
}

}  // namespace compositord::agent
