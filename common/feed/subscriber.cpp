#include "common/feed/subscriber.h"

#include <poll.h>

#include <algorithm>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "common/base/clock.h"

namespace compositord::feed {

namespace {

std::uint64_t seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

}  // namespace

Subscriber::Subscriber(net::ZmqContext& context, Settings settings, FindFeed find_feed)
    : context_(context), settings_(std::move(settings)), find_feed_(std::move(find_feed)), nonces_(seed()) {
  settings_.prefixes.emplace_back(kTickTopic);
}

Result<void> Subscriber::start() {
  Result<std::string> found = find_feed_();
  if (!found) return tl::unexpected<Error>(std::move(found.error()));
  endpoint_ = std::move(*found);
  quiet_until_ = monotonic_now() + settings_.hello_timeout;
  return open();
}

Result<void> Subscriber::open() {
  monitor_.reset();
  socket_.reset();
  socket_.emplace(context_, wire::MessageLimits{});
  monitor_.emplace(context_, *socket_);
  for (const std::string& prefix : settings_.prefixes) socket_->subscribe(prefix);
  hello_topic_.clear();
  return socket_->connect(endpoint_);
}

const std::string& Subscriber::start_handshake() {
  if (!hello_topic_.empty()) socket_->unsubscribe(hello_topic_);
  hello_topic_ = fmt::format("{}{:016x}", kHelloPrefix, nonces_.next());
  socket_->subscribe(hello_topic_);
  return hello_topic_;
}

Result<Subscriber::Step> Subscriber::next(Instant deadline) {
  for (;;) {
    wire::Frames frames;
    switch (wait(std::min(deadline, quiet_until_), frames)) {
      case Event::kWatched: return Step::kWatched;
      case Event::kMessage:
        if (monotonic_now() >= deadline) return Step::kDeadline;  // a busy feed may never leave a pause
        return take(frames);
      case Event::kConnected: start_handshake(); return Step::kHandshake;
      case Event::kDisconnected:
        if (const std::optional<Step> lost = away("its connection closed")) return *lost;
        break;
      case Event::kDeadline: {
        if (monotonic_now() >= deadline) return Step::kDeadline;
        if (!said_hello_) return Step::kNoFeed;
        if (Result<std::string> found = find_feed_()) endpoint_ = std::move(*found);
        quiet_until_ = monotonic_now() + kQuietMax;
        if (const Result<void> opened = open(); !opened) return tl::unexpected<Error>(opened.error());
        const std::string why = fmt::format("it was silent for {} s", kQuietMax / std::chrono::seconds(1));
        if (const std::optional<Step> lost = away(why)) return *lost;
        break;
      }
    }
  }
}

Subscriber::Step Subscriber::take(const wire::Frames& frames) {
  Result<FeedMessage> parsed = parse_feed_message(frames);
  if (!parsed) {
    why_ = parsed.error().text;
    return Step::kMalformed;
  }
  quiet_until_ = monotonic_now() + kQuietMax;
  said_hello_ |= parsed->topic == hello_topic_;
  is_away_ = false;
  message_ = std::move(*parsed);
  return Step::kMessage;
}

std::optional<Subscriber::Step> Subscriber::away(std::string why) {
  if (std::exchange(is_away_, true) || !said_hello_) return std::nullopt;
  why_ = std::move(why);
  return Step::kAway;
}

Subscriber::Event Subscriber::wait(Instant deadline, wire::Frames& frames) {
  // A feed so busy that there is always a message may not keep us from seeing that we are to stop.
  if (something_watched()) return Event::kWatched;
  for (;;) {
    if (const std::optional<Event> event = look(frames)) return *event;
    const Instant now = monotonic_now();
    if (now >= deadline) return Event::kDeadline;
    poller_.clear();
    poller_.add_socket(socket_->handle());
    poller_.add_socket(monitor_->handle());
    for (const Watched& one : settings_.watched) poller_.add_fd(one.fd, one.events);
    poller_.wait(deadline - now);
    if (something_watched()) return Event::kWatched;
  }
}

bool Subscriber::something_watched() const {
  std::vector<pollfd> fds;
  for (const Watched& one : settings_.watched)
    fds.push_back({one.fd, one.events, 0});  // poll(2) ignores a negative one
  if (::poll(fds.data(), fds.size(), 0) <= 0) return false;
  return std::any_of(fds.begin(), fds.end(), [](const pollfd& fd) { return (fd.revents & ~POLLNVAL) != 0; });
}

std::optional<Subscriber::Event> Subscriber::look(wire::Frames& frames) {
  while (const std::optional<net::ConnectionEvent> event = monitor_->receive()) {
    if (event->change == net::ConnectionChange::kReady) return Event::kConnected;
    if (event->change == net::ConnectionChange::kDisconnected) return Event::kDisconnected;
  }
  net::Received received = socket_->receive();
  if (received.outcome == net::ReceiveOutcome::kNothing) return std::nullopt;
  frames = std::move(received.frames);  // of a message that was too large nothing is left: it is malformed
  return Event::kMessage;
}

}  // namespace compositord::feed
