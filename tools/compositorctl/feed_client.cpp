#include "tools/compositorctl/feed_client.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tools/compositorctl/feed_message.h"

namespace compositord::ctl {

namespace {

std::uint64_t seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

}  // namespace

FeedClient::FeedClient(net::ZmqContext& context, std::vector<std::string> prefixes, int stop_fd)
    : context_(context), prefixes_(std::move(prefixes)), stop_fd_(stop_fd), nonces_(seed()) {}

Outcome<void> FeedClient::open(const std::string& endpoint) {
  monitor_.reset();
  socket_.reset();
  socket_.emplace(context_, net::ReceiveLimits{});
  monitor_.emplace(context_, *socket_);
  for (const std::string& prefix : prefixes_) socket_->subscribe(prefix);
  hello_topic_.clear();
  const Result<void> connected = socket_->connect(endpoint);
  if (!connected) return give_up(ExitCode::kUsage, "--feed: " + connected.error().text);
  return {};
}

std::string FeedClient::start_handshake() {
  if (!hello_topic_.empty()) socket_->unsubscribe(hello_topic_);
  hello_topic_ = fmt::format("{}{:016x}", kHelloPrefix, nonces_.next());
  socket_->subscribe(hello_topic_);
  return hello_topic_;
}

FeedEvent FeedClient::wait(Instant deadline, wire::Frames& frames) {
  // A feed so busy that there is always a message may not keep us from seeing that we are to stop.
  if (const std::optional<FeedEvent> end = look_for_end()) return *end;
  for (;;) {
    if (const std::optional<FeedEvent> event = look(frames)) return *event;
    const Instant now = monotonic_now();
    if (now >= deadline) return FeedEvent::kDeadline;
    poller_.clear();
    poller_.add_socket(socket_->handle());
    poller_.add_socket(monitor_->handle());
    if (stop_fd_ >= 0) poller_.add_fd(stop_fd_, POLLIN);
    poller_.add_fd(STDOUT_FILENO, 0);  // no event is asked for: an error is told all the same
    poller_.wait(deadline - now);
    if (const std::optional<FeedEvent> end = look_for_end()) return *end;
  }
}

std::optional<FeedEvent> FeedClient::look_for_end() const {
  std::array<pollfd, 2> fds{{{stop_fd_, POLLIN, 0}, {STDOUT_FILENO, 0, 0}}};  // poll(2) ignores a negative descriptor
  if (::poll(fds.data(), fds.size(), 0) <= 0) return std::nullopt;
  if (fds[0].revents != 0) return FeedEvent::kStopped;
  return (fds[1].revents & (POLLERR | POLLHUP)) != 0 ? std::optional(FeedEvent::kOutputClosed) : std::nullopt;
}

std::optional<FeedEvent> FeedClient::look(wire::Frames& frames) {
  while (const std::optional<net::ConnectionEvent> event = monitor_->receive()) {
    if (event->change == net::ConnectionChange::kReady) return FeedEvent::kConnected;
    if (event->change == net::ConnectionChange::kDisconnected) return FeedEvent::kDisconnected;
  }
  net::Received received = socket_->receive();
  if (received.outcome == net::ReceiveOutcome::kNothing) return std::nullopt;
  frames = std::move(received.frames);  // of a message that was too large nothing is left: it is malformed
  return FeedEvent::kMessage;
}

}  // namespace compositord::ctl
