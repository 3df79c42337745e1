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

struct wl_callback;
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
  // Sends what can be sent now; a connection that is broken is found by pump().
  void flush();
  // Whether it was ended by a protocol error, which is how some compositors say no.
  bool was_punished() const;

  // One at a time. Its answer has come when round_trips() has grown.
  void ask_round_trip();
  bool awaits_round_trip() const noexcept { return round_trip_ != nullptr; }
  int round_trips() const noexcept { return round_trips_; }

 private:
  explicit SideConnection(wl_display* display);
  Result<void> broken() const;
  struct Disconnect {
    void operator()(wl_display* display) const;
  };
  struct DestroyCallback {
    void operator()(wl_callback* callback) const;
  };
  friend struct SideConnectionEvents;
  std::unique_ptr<wl_display, Disconnect> display_;
  std::unique_ptr<RegistryMirror> registry_;
  std::unique_ptr<wl_callback, DestroyCallback> round_trip_;
  int round_trips_ = 0;
  bool flush_blocked_ = false;  // the socket is full: wait for POLLOUT
};

}  // namespace compositord::agent
