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

  // Why the compositor of this version can't be made to read its configuration again, a sentence; empty when it can.
  virtual std::string reload_obstacle(std::string_view version) const = 0;
  virtual std::string reload_request() const = 0;
  // Empty when the reply says success, else the compositor's own words. Errors: as parse_refusal().
  virtual Result<std::string> parse_reload_refusal(std::string_view payload) const = 0;
  // Whether the events begin with one that tells of the last time, in each version that tells of it at all.
  virtual bool begins_with_reload() const = 0;
  // The text that asks what is wrong with the configuration; empty where the event tells it.
  virtual std::string errors_request() const { return {}; }
  // Empty when nothing is.
  virtual Result<std::string> parse_reload_errors(std::string_view) const { return std::string(); }
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
