#pragma once
// A second connection to the compositor that is watched, for what could end a connection: a protocol error, a flood, a surface
// that it doesn't like. The first one watches on, whatever becomes of this one.

#include <poll.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/process/peer.h"
#include "agent/wayland/registry_mirror.h"
#include "common/base/result.h"

struct wl_display;

namespace compositord::agent {

class SideConnection {
 public:
  // `watched`: who must listen there. Never waits. Errors: as connect_unix(); kConflict when somebody else listens.
  static Result<std::unique_ptr<SideConnection>> open(const std::string& socket_path, const Peer& watched);
  SideConnection(const SideConnection&) = delete;
  SideConnection& operator=(const SideConnection&) = delete;

  wl_display* display() const noexcept { return display_.get(); }
  const RegistryMirror& registry() const noexcept { return *registry_; }
  void poll_fds(std::vector<pollfd>& fds) const;
  // Reads and dispatches what is there, and sends. Errors: kGone when the connection is broken, with the cause.
  Result<void> pump();

 private:
  explicit SideConnection(wl_display* display);
  Result<void> broken() const;
  struct Disconnect {
    void operator()(wl_display* display) const;
  };
  std::unique_ptr<wl_display, Disconnect> display_;
  std::unique_ptr<RegistryMirror> registry_;
  bool flush_blocked_ = false;  // the socket is full: wait for POLLOUT
};

}  // namespace compositord::agent
