#pragma once
// One caller on the bus: sends a request, waits for its reply until a deadline. Connects at the first call; libzmq connects
// again by itself when the broker was restarted.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/instant.h"
#include "common/log/log.h"
#include "common/msg/envelope.h"
#include "common/net/connection_monitor.h"
#include "common/net/poller.h"
#include "common/net/zmq_socket.h"
#include "common/wire/mdp.h"
#include "tools/compositorctl/exit_code.h"

namespace compositord::ctl {

struct BusSettings {
  std::string endpoint;
  Duration timeout;  // of each call: connecting, sending and waiting together
  int stop_fd = -1;  // readable: give up at once with kInterrupted; -1: none
};

struct CallOptions {
  msg::Encoding encoding = msg::Encoding::kMsgpack;
  std::optional<Duration> deadline;  // told to the broker; the wait is then as long and a little longer
  std::optional<msg::Value> id;      // chosen by the user; otherwise a number
  std::optional<std::string> idem;   // the header's fields of these names
  bool queue = false;
  std::optional<Duration> ttl;
  bool idempotent = false;
  // What comes before the final reply; otherwise it is left out.
  std::function<Outcome<void>(const msg::Reply&)> on_partial;
};

class BusClient {
 public:
  // Takes a reply; true: it was the last one.
  using OnReply = std::function<Outcome<bool>(wire::mdp::ClientReply&&)>;

  // `context` and `log` must outlive it.
  BusClient(net::ZmqContext& context, log::Logger& log, BusSettings settings);

  // The final reply, whatever its status. Failures: kNoBroker, kTimeout, kGone when the connection breaks, kInterrupted,
  // kLocal, kUsage for the endpoint.
  Outcome<msg::Reply> call(const std::string& service, const std::string& method, msg::Value params,
                           const CallOptions& options = {});
  // The same, and a status that is no success is a Failure, too: "404 not_found: …".
  Outcome<msg::Value> ask(const std::string& service, const std::string& method, msg::Value params = msg::Value::map());
  // A plain MDP request: each reply is handed over as it comes, until on_reply has seen the last one.
  Outcome<void> exchange(const std::string& service, const wire::Frames& body, Duration timeout,
                         const OnReply& on_reply);

  const BusSettings& settings() const noexcept { return settings_; }

 private:
  enum class Wait { kMessage, kDeadline, kStopped };
  Outcome<void> open();
  Outcome<void> send(const std::string& service, const wire::Frames& body, Instant deadline, Duration timeout);
  // Until there is something to read on the socket or from its monitor.
  Wait wait(Instant deadline);
  void follow_connection();
  tl::unexpected<Failure> no_broker(Duration timeout) const;
  tl::unexpected<Failure> no_answer(const std::string& service, Duration timeout) const;
  tl::unexpected<Failure> gone(const std::string& service) const;

  net::ZmqContext& context_;
  log::Logger& log_;
  BusSettings settings_;
  net::Poller poller_;
  std::optional<net::Dealer> socket_;
  std::optional<net::ConnectionMonitor> monitor_;
  bool connected_ = false;
  std::uint64_t disconnects_ = 0;
  std::int64_t last_id_ = 0;
};

// "404 not_found: no compositor a/b has ever registered", for people.
std::string status_text(const msg::ReplyHeader& header);

}  // namespace compositord::ctl
