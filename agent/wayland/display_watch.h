#pragma once
// Waits for a Wayland display and makes a driver for the compositor behind it, again and again: one DisplayWatch lives as
// long as the agent.
//
// Which display: an explicit name or path, else $WAYLAND_DISPLAY, else the only `wayland-*` socket in the runtime
// directory that accepts. When several accept, it names them in the log and goes on waiting.
// Of a compositor that the agent started itself, it is the display whose socket a process of that session listens on,
// whatever others there are; an explicit name is believed.
// A file proves nothing: sockets stay after a crash. So it connects, and a stale socket is waited on like a missing one.

#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/process/file_descriptor.h"
#include "agent/wayland/connected_display.h"
#include "common/base/instant.h"

namespace compositord::agent {

struct DisplaySettings {
  std::string runtime_dir;  // $XDG_RUNTIME_DIR; empty only when a display is given by its absolute path
  std::string wanted;       // -w: a name or an absolute path; empty when not given
  std::string env_display;  // $WAYLAND_DISPLAY; empty when not set
  // Where there is no file, the abstract socket of the same name will do: X servers have both.
  bool abstract_too = false;
};

using DriverFactory = std::function<Result<std::unique_ptr<Driver>>(ConnectedDisplay display, Instant now)>;

class DisplayWatch {
 public:
  // While a socket file is there that refuses, nothing tells when it begins to listen: ask again, at first soon (a
  // compositor listens right after it made the file), then at this interval.
  static constexpr Duration kFirstRetry = std::chrono::milliseconds(5);
  static constexpr Duration kStaleRetry = std::chrono::milliseconds(200);
  // While the directory isn't there, inotify has nothing to hold on to.
  static constexpr Duration kDirectoryRetry = std::chrono::milliseconds(250);
  // While several displays accept, each look connects to all of them.
  static constexpr Duration kAmbiguousRetry = std::chrono::seconds(1);

  // The factory makes the driver of a display; it must not block.
  DisplayWatch(DisplaySettings settings, DriverFactory factory);

  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept { return next_look_; }
  // A driver as soon as a display accepts. After that this watch rests, until search_again().
  std::unique_ptr<Driver> service(Instant now, DriverOutputs& out);
  // The socket that the last driver was made from; empty before the first.
  const std::string& connected_path() const noexcept { return connected_path_; }
  // From now on, only displays of the session that this process leads; 0: none, until there is one.
  void expect_session(pid_t leader, Instant now);
  // To be called when the driver said Gone. The first look is made by the next service().
  void search_again(Instant now);

 private:
  enum class State { kSearching, kResting };

  std::string explicit_path() const;
  void drain_inotify(Instant now);
  void watch_directory(Instant now);
  std::optional<ConnectedDisplay> look(Instant now, DriverOutputs& out);
  Result<FileDescriptor> connect(const std::string& path) const;
  std::optional<ConnectedDisplay> look_at(const std::string& path, Instant now, DriverOutputs& out);
  std::optional<ConnectedDisplay> scan(Instant now, DriverOutputs& out);
  bool is_expected(const ConnectedDisplay& display) const;
  std::vector<std::string> candidates() const;
  void retry(Instant now, Duration after);
  void retry_stale(Instant now);
  void log_once(DriverOutputs& out, LogEvent event);

  DisplaySettings settings_;
  DriverFactory factory_;
  State state_ = State::kSearching;
  std::optional<pid_t> session_;  // none: any will do
  std::string connected_path_;
  std::string directory_;  // that holds the socket
  FileDescriptor inotify_;
  int watch_ = -1;
  Instant next_look_;   // kNever while only inotify is waited for
  Instant not_before_;  // a compositor that drops us at once is not asked in a tight loop
  Duration stale_retry_ = kFirstRetry;
  std::string last_log_;  // so that a state is logged when it begins, not at each look
};

}  // namespace compositord::agent
