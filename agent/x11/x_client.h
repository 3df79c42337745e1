#pragma once
// A process that makes an X display what it is: the server, its compositing manager, its window manager.

#include <poll.h>

#include <optional>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/process/end_wait.h"
#include "agent/process/peer.h"
#include "agent/process/process_watch.h"
#include "agent/process/version_query.h"
#include "agent/x11/screen_roles.h"
#include "common/base/instant.h"
#include "common/msg/manifest.h"

namespace compositord::agent::x11 {

class XClient {
 public:
  // Watches the process. Its executable is asked for its version when `window` does not tell it.
  XClient(Peer peer, RoleWindow window, Instant now, DriverOutputs& out);
  // The server, whose version the connection tells.
  XClient(Peer peer, DriverOutputs& out);

  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept;
  // True when something is known now that was not before.
  bool service(Instant now);
  // How it ended, once that is known.
  std::optional<ProcessEnd> check_end(Instant now);
  // The same, told once.
  std::optional<ProcessEnd> take_end(Instant now);
  // Whether nobody will tell that any more, asked after check_end().
  bool is_over(EndWait& wait, Instant now) const { return wait.is_over(watch_, now); }
  driver_event::CauseSeen look() const { return watch_ ? watch_->look() : driver_event::CauseSeen{}; }

  bool is_same_process(const Peer& peer) const noexcept;
  bool is_asking_version() const noexcept { return query_.has_value(); }
  bool has_window(xcb_window_t window) const noexcept { return window_.window == window; }
  // Its window tells more now.
  void set_window(const RoleWindow& window) { window_ = window; }
  void set_version(std::string version, std::string source);
  const Peer& peer() const noexcept { return peer_; }
  const std::string& version() const noexcept { return version_; }
  const std::string& version_source() const noexcept { return version_source_; }
  // The executable's name, else what its window says, else "unknown".
  std::string name() const;
  msg::Part part(const std::string& role) const;

 private:
  void watch(DriverOutputs& out);

  Peer peer_;
  RoleWindow window_;
  std::optional<ProcessWatch> watch_;
  bool is_end_taken_ = false;
  std::optional<VersionQuery> query_;
  std::string version_;
  std::string version_source_;
};

}  // namespace compositord::agent::x11
