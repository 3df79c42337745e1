#pragma once
// The command `reload` of a compositor that is told so by its IPC. Without sockets: the driver sends, and says what comes.

#include <poll.h>

#include <cstdint>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/process/peer.h"
#include "common/base/instant.h"
#include "common/msg/value.h"

namespace compositord::agent {

class IpcReload {
 public:
  IpcReload() = default;
  virtual ~IpcReload() = default;
  IpcReload(const IpcReload&) = delete;
  IpcReload& operator=(const IpcReload&) = delete;

  // The reply to the question for the version, which may tell which configuration is loaded.
  virtual void on_version(const std::string& payload) = 0;
  // Why it can't be done now, a sentence; empty when it can.
  virtual std::string obstacle() const = 0;
  virtual void begin(std::uint64_t command_id, const msg::Value& params, const Peer& compositor, Instant now,
                     Instant deadline, DriverOutputs& out) = 0;
  virtual void poll_fds(std::vector<pollfd>& fds) const = 0;
  virtual Instant next_deadline() const noexcept = 0;
  virtual void service(Instant now, DriverOutputs& out) = 0;

  // What is to be asked now; empty: nothing. Once said, its reply must come to on_reply().
  virtual std::string take_request() = 0;
  // `events`: whether the compositor tells what it does unasked; otherwise its word has to do.
  virtual void on_reply(const std::string& payload, bool events, Instant now, DriverOutputs& out) = 0;
  // The event. `failed`: it could not read it, and says so.
  virtual void on_reloaded(bool failed, DriverOutputs& out) = 0;
  // What was asked is lost with the connection; the compositor may live on.
  virtual void on_connection_lost(DriverOutputs& out) = 0;
  virtual void on_gone(DriverOutputs& out) = 0;
};

}  // namespace compositord::agent
