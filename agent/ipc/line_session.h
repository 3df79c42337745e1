#pragma once
// The session of an IPC with a connection for each request, and one for events that come as lines: Hyprland's and niri's.
//
// A connection is opened when its request is there to be written, and closed with the reply: Hyprland reads requests in its main
// loop, and waits up to five seconds for one that an open connection does not send.

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/ipc/ipc_session.h"
#include "agent/ipc/unix_stream.h"

namespace compositord::agent {

// What a dialect says besides, when its session is this one.
class LineDialect : public IpcDialect {
 public:
  // Whether a reply ends with its line, or only with the connection.
  virtual bool reply_is_line() const noexcept = 0;
  // What asks for events on a new connection; empty when they come by themselves.
  virtual std::string events_request() const = 0;
  // Errors: kMalformed for what is no event, kUnsupported when the compositor refuses to send any.
  virtual Result<IpcSession::Changes> parse_event(std::string_view line) const = 0;
};

class LineSession : public IpcSession {
 public:
  // A reply or an event beyond this is no answer but an attack: a monitor's description has some KiB, and there are few.
  static constexpr std::size_t kBytesMax = 1U << 20U;

  struct Paths {
    std::string requests;
    std::string events;
  };
  // Where the sockets are now. Errors: kNotFound when the compositor has none.
  using Find = std::function<Result<Paths>()>;

  // The dialect must outlive this.
  LineSession(const LineDialect& dialect, Find find, pid_t pid)
      : dialect_(&dialect), find_(std::move(find)), pid_(pid) {}

  Result<void> open() override;
  void close() override;
  bool is_open() const noexcept override { return open_; }
  void poll_fds(std::vector<pollfd>& fds) const override;
  Result<void> ask(IpcQuestion question, std::string_view text) override;
  Result<void> service(std::vector<std::string>& replies) override;
  Result<Changes> service_events() override;
  void close_events() override { events_.reset(); }
  // Hot-plug comes as an event, and the other changes are Wayland's to tell.
  bool has_events() const noexcept override { return events_.has_value(); }
  bool tells_outputs() const noexcept override { return events_.has_value(); }
  std::string socket_path() const override { return paths_.requests; }

 private:
  struct Connection {
    UnixStream stream;
    std::string received;
  };
  std::optional<std::string> take_reply();
  Result<void> take_events(Changes& changes);

  const LineDialect* dialect_;
  Find find_;
  pid_t pid_;
  bool open_ = false;
  Paths paths_;
  std::optional<Connection> request_;  // while a reply is owed
  std::optional<Connection> events_;
};

}  // namespace compositord::agent
