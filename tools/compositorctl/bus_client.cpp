#include "tools/compositorctl/bus_client.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "common/base/clock.h"
#include "common/wire/mdp_codec.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

constexpr wire::Dialect kDialect{wire::MdpVersion::k02, false};
// The broker answers 504 at the deadline; so long may that answer be under way.
constexpr Duration kDeadlineGrace = std::chrono::seconds(2);
// The monitor can be a moment ahead of the socket.
constexpr Duration kSendAgainAfter = std::chrono::milliseconds(2);

std::string seconds_text(Duration duration) { return number_text(static_cast<double>(duration.count()) / 1e9) + " s"; }

}  // namespace

std::string status_text(const msg::ReplyHeader& header) {
  const std::string_view name = status_name(static_cast<Status>(header.status));
  return fmt::format("{} {}: {}", header.status, name, header.error.value_or("no reason was given"));
}

BusClient::BusClient(net::ZmqContext& context, log::Logger& log, BusSettings settings)
    : context_(context), log_(log), settings_(std::move(settings)) {}

Outcome<msg::Reply> BusClient::call(const std::string& service, const std::string& method, msg::Value params,
                                    const CallOptions& options) {
  msg::Call call;
  call.encoding = options.encoding;
  call.header.id = options.id.value_or(msg::Value(++last_id_));
  call.header.method = method;
  if (options.deadline) call.header.deadline_ms = std::max<std::int64_t>(1, to_ms(*options.deadline));
  call.header.idem = options.idem;
  if (options.queue) call.header.queue = true;
  if (options.ttl) call.header.ttl_ms = std::max<std::int64_t>(1, to_ms(*options.ttl));
  if (options.idempotent) call.header.idempotent = true;
  call.params = std::move(params);

  std::optional<msg::Reply> answer;
  const auto on_reply = [&](wire::mdp::ClientReply&& message) -> Outcome<bool> {
    Result<msg::Reply> reply = msg::parse_reply(message.body);
    if (!reply) {
      return give_up(ExitCode::kLocal,
                     fmt::format("{} answered with something else than a reply: {}", service, reply.error().text));
    }
    // An answer to an earlier request of ours, which nobody waits for any more. An error about a call that could not be read
    // has no id.
    if (!reply->header.id.is_null() && !(reply->header.id == call.header.id)) return false;
    if (message.final) {
      answer = std::move(*reply);
    } else if (options.on_partial) {
      const Outcome<void> taken = options.on_partial(*reply);
      if (!taken) return tl::unexpected<Failure>(taken.error());
    }
    return message.final;
  };
  const Duration timeout = options.deadline ? *options.deadline + kDeadlineGrace : settings_.timeout;
  Outcome<void> exchanged = exchange(service, msg::serialize_call(call), timeout, on_reply);
  if (!exchanged) return tl::unexpected<Failure>(std::move(exchanged.error()));
  return std::move(*answer);
}

Outcome<msg::Value> BusClient::ask(const std::string& service, const std::string& method, msg::Value params) {
  Outcome<msg::Reply> reply = call(service, method, std::move(params));
  if (!reply) return tl::unexpected<Failure>(std::move(reply.error()));
  const ExitCode code = exit_code_of(reply->header.status);
  if (code != ExitCode::kDone) return give_up(code, status_text(reply->header));
  return std::move(reply->result);
}

Outcome<void> BusClient::exchange(const std::string& service, const wire::Frames& body, Duration timeout,
                                  const OnReply& on_reply) {
  // The broker drops it as malformed, and nobody would answer.
  if (service.empty() || service.size() > wire::kServiceNameBytesMax) {
    return give_up(ExitCode::kUsage, fmt::format("a service's name has 1 to {} bytes, and this one has {}",
                                                 wire::kServiceNameBytesMax, service.size()));
  }
  const Instant deadline = monotonic_now() + timeout;
  Outcome<void> opened = open();
  if (!opened) return opened;
  Outcome<void> sent = send(service, body, deadline, timeout);
  if (!sent) return sent;
  const std::uint64_t disconnects = disconnects_;
  for (;;) {
    net::Received received = socket_->receive();
    if (received.outcome == net::ReceiveOutcome::kTooLarge) {
      return give_up(ExitCode::kLocal, fmt::format("the answer of {} is larger than this program takes", service));
    }
    if (received.outcome == net::ReceiveOutcome::kNothing) {
      // A broker that is back doesn't know the request any more.
      if (disconnects_ != disconnects) return gone(service);
      const Wait waited = wait(deadline);
      if (waited == Wait::kStopped) return give_up(ExitCode::kInterrupted, {});
      if (waited == Wait::kDeadline) return no_answer(service, timeout);
      continue;
    }
    Result<wire::Parsed<wire::FromBroker>> parsed = wire::parse_from_broker(std::move(received.frames));
    auto* reply = parsed ? std::get_if<wire::mdp::ClientReply>(&parsed->message) : nullptr;
    if (reply == nullptr || reply->service != service) {
      log_.write(
          LogEvent(Severity::kInfo, "bus.message_ignored").with("why", parsed ? "not for us" : parsed.error().text));
      continue;
    }
    const Outcome<bool> taken = on_reply(std::move(*reply));
    if (!taken) return tl::unexpected<Failure>(taken.error());
    if (*taken) return {};
  }
}

Outcome<void> BusClient::open() {
  if (socket_) return {};
  socket_.emplace(context_, wire::MessageLimits{});
  monitor_.emplace(context_, *socket_);  // before connect: it must see the connection become ready
  const Result<void> connected = socket_->connect(settings_.endpoint);
  if (connected) return {};
  socket_.reset();
  monitor_.reset();
  return give_up(ExitCode::kUsage, "--broker: " + connected.error().text);
}

Outcome<void> BusClient::send(const std::string& service, const wire::Frames& body, Instant deadline,
                              Duration timeout) {
  for (;;) {
    follow_connection();
    if (connected_) {
      wire::Frames frames = wire::serialize(kDialect, wire::mdp::ClientRequest{service, body});
      const net::SendOutcome outcome = socket_->send(std::move(frames));
      if (outcome == net::SendOutcome::kSent) return {};
      if (outcome == net::SendOutcome::kFailed) return give_up(ExitCode::kLocal, "the request could not be sent");
    }
    const Instant again = connected_ ? std::min(deadline, monotonic_now() + kSendAgainAfter) : deadline;
    const Wait waited = wait(again);
    if (waited == Wait::kStopped) return give_up(ExitCode::kInterrupted, {});
    if (waited == Wait::kDeadline && monotonic_now() >= deadline) return no_broker(timeout);
  }
}

BusClient::Wait BusClient::wait(Instant deadline) {
  for (;;) {
    const Instant now = monotonic_now();
    if (now >= deadline) return Wait::kDeadline;
    poller_.clear();
    const std::size_t socket = poller_.add_socket(socket_->handle());
    const std::size_t monitor = poller_.add_socket(monitor_->handle());
    std::optional<std::size_t> stop;
    if (settings_.stop_fd >= 0) stop = poller_.add_fd(settings_.stop_fd, POLLIN);
    poller_.wait(deadline - now);
    if (stop && poller_.ready(*stop)) return Wait::kStopped;
    if (poller_.ready(monitor)) follow_connection();
    if (poller_.ready(socket) || poller_.ready(monitor)) return Wait::kMessage;
  }
}

void BusClient::follow_connection() {
  while (const std::optional<net::ConnectionEvent> event = monitor_->receive()) {
    if (event->change == net::ConnectionChange::kAccepted) continue;
    connected_ = event->change == net::ConnectionChange::kReady;
    if (!connected_) ++disconnects_;
    log_.write(LogEvent(Severity::kInfo, connected_ ? "bus.connected" : "bus.disconnected")
                   .with("endpoint", settings_.endpoint));
  }
}

tl::unexpected<Failure> BusClient::no_broker(Duration timeout) const {
  return give_up(ExitCode::kNoBroker,
                 fmt::format("no broker answered at {} within {}: is compositord running there, and is this its bus "
                             "endpoint? Another one is named with --broker ENDPOINT or COMPOSITORD_BROKER",
                             settings_.endpoint, seconds_text(timeout)));
}

tl::unexpected<Failure> BusClient::no_answer(const std::string& service, Duration timeout) const {
  return give_up(ExitCode::kTimeout,
                 fmt::format("{} at {} did not answer within {}: does a worker offer it, and does it need a longer "
                             "--timeout?",
                             service, settings_.endpoint, seconds_text(timeout)));
}

tl::unexpected<Failure> BusClient::gone(const std::string& service) const {
  return give_up(ExitCode::kGone,
                 fmt::format("the connection to the broker at {} broke before {} answered; the outcome is unknown. Is "
                             "compositord still running there?",
                             settings_.endpoint, service));
}

}  // namespace compositord::ctl
