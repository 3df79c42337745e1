#include "common/net/router.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "common/base/check.h"

namespace compositord::net {

namespace {

// Read from one connection before it is the next one's turn: it may be thousands of messages. More of a large frame.
constexpr std::size_t kReadBytes = 16U << 10U;
constexpr std::size_t kReadBytesMax = 128U << 10U;
// Reads that bring no message, in one call of next().
constexpr int kReadsMax = 32;
constexpr int kAcceptsAtOnceMax = 64;
// A peer that has more unread is answered no PING: it does not read.
constexpr std::size_t kAnswersBytesMax = 64U << 10U;
constexpr Duration kHandshakeMax = std::chrono::seconds(30);  // ZMQ_HANDSHAKE_IVL's default
constexpr int kLastWritesMs = 200;
constexpr int kLastReadsMax = 16;
// Descriptors that are left to everything else: the feed, the store, log files.
constexpr std::size_t kOtherDescriptors = 1'024;

std::size_t affordable_connections() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return kOtherDescriptors;
  const std::size_t all = files.rlim_cur;
  return all > 2 * kOtherDescriptors ? all - kOtherDescriptors : all / 2;
}

}  // namespace

struct Router::Connection {
  Connection(Listener::Accepted accepted, Instant now, const wire::MessageLimits& limits)
      : fd(accepted.fd), name(std::move(accepted.from)), began(now), reader(limits) {}
  int fd;
  std::string name;  // for people
  Instant began;
  wire::ZmtpReader reader;
  SendQueue queue;
  wire::RoutingId id;          // empty until it is ready
  std::size_t kept_bytes = 0;  // of an incomplete message, as counted
  bool will_write = false;     // it is in unwritten_
  bool is_roomy = false;       // it is in roomy_
  bool waits_for_room = false;
  bool ends = false;    // when its queue is written
  bool broken = false;  // nothing can be written any more
};

Router::Router(Epoll& epoll, const wire::MessageLimits& limits, const QueueLimits& queue_limits)
    : epoll_(epoll),
      limits_(limits),
      queue_limits_(queue_limits),
      connections_max_(affordable_connections()),
      buffer_(kReadBytesMax) {}

// Long enough for a last DISCONNECT or reply to leave the host, short enough that nobody waits for an exit.
Router::~Router() {
  flush();
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  const itimerspec soon{{}, {0, kLastWritesMs * 1'000'000L}};
  std::vector<pollfd> waiting{{timer, POLLIN, 0}};
  bool in_time = timer >= 0 && timerfd_settime(timer, 0, &soon, nullptr) == 0;
  while (in_time) {
    waiting.resize(1);
    for (const Place& place : places_) {
      const Connection* const connection = place.connection.get();
      if (connection != nullptr && connection->waits_for_room) waiting.push_back({connection->fd, POLLOUT, 0});
    }
    if (waiting.size() == 1 || poll(waiting.data(), waiting.size(), -1) < 0) break;
    in_time = waiting[0].revents == 0;
    for (const pollfd& one : waiting) {
      if (one.fd != timer && one.revents != 0) write(*place_of(one.fd).connection);
    }
  }
  if (timer >= 0) ::close(timer);
  for (const Place& place : places_) {
    if (place.connection == nullptr) continue;
    end_stream(*place.connection);
    ::close(place.connection->fd);
  }
}

Result<std::string> Router::bind(const std::string& endpoint) {
  Result<Listener> listener = Listener::open(endpoint);
  if (!listener) return tl::unexpected<Error>(listener.error());
  const int fd = listener->fd();
  std::string bound = listener->endpoint();
  if (!epoll_.add(fd, EPOLLIN)) return fail(Status::kFailed, fmt::format("bind {}: epoll has no room", endpoint));
  place_of(fd).listener = std::make_unique<Listener>(std::move(*listener));
  return bound;
}

Router::Place& Router::place_of(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= places_.size()) places_.resize(std::max(index + 1, 2 * places_.size()));
  return places_[index];
}

bool Router::owns(int fd) const noexcept {
  const auto index = static_cast<std::size_t>(fd);
  return index < places_.size() && (places_[index].listener != nullptr || places_[index].connection != nullptr);
}

void Router::take(const Epoll::Ready& ready) {
  Place& place = place_of(ready.fd);
  if (place.events == 0) ready_.push_back(ready.fd);
  place.events |= ready.events;
}

RouterEvent Router::next(Instant now) {
  RouterEvent event;
  for (int reads = 0; reads < kReadsMax;) {
    if (!events_.empty()) {
      event = std::move(events_.front());
      events_.pop_front();
      return event;
    }
    if (reading_ != nullptr) {
      if (read_on(event)) return event;
      continue;
    }
    if (ready_.empty()) return event;
    ++reads;
    Place& place = place_of(ready_.front());
    ready_.pop_front();
    const std::uint32_t events = std::exchange(place.events, 0U);
    if (place.connection != nullptr) {
      look_at(*place.connection, events);
    } else if (place.listener != nullptr) {
      accept_from(*place.listener, now);
    }
  }
  return event;
}

void Router::accept_from(const Listener& listener, Instant now) {
  for (int i = 0; i < kAcceptsAtOnceMax; ++i) {
    Listener::Accepted accepted = listener.accept();
    if (accepted.fd >= 0) {
      add_connection(std::move(accepted), now);
      continue;
    }
    if (errno == EAGAIN) return;
    // It would be told of again and again: better to let those who knock wait.
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) continue;
    const std::string why = std::strerror(errno);
    events_.push_back({RouterEvent::Kind::kRefused, {}, {}, "nobody is accepted for up to a second: " + why});
    return let_accept(false);
  }
}

void Router::let_accept(bool accepts) {
  if (std::exchange(accepts_, accepts) == accepts) return;
  for (const Place& place : places_) {
    if (place.listener != nullptr) epoll_.change(place.listener->fd(), accepts ? EPOLLIN : 0U);
  }
}

void Router::add_connection(Listener::Accepted accepted, Instant now) {
  const int fd = accepted.fd;
  const bool affordable = connections_ < connections_max_;
  if (!affordable || !epoll_.add(fd, EPOLLIN)) {
    events_.push_back({RouterEvent::Kind::kRefused,
                       {},
                       {},
                       fmt::format("{} came when there were {} connections already, for which descriptors suffice: "
                                   "allow the broker more open files (ulimit -n, LimitNOFILE)",
                                   accepted.from, connections_)});
    ::close(fd);
    return;
  }
  ++connections_;
  Connection& connection = *(place_of(fd).connection = std::make_unique<Connection>(std::move(accepted), now, limits_));
  handshakes_.push_back({now, fd});
  connection.queue.add_bytes(wire::zmtp_signature());
  queued_bytes_ += connection.queue.bytes();
  will_write(connection);
}

void Router::look_at(Connection& connection, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) write(connection);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  const std::size_t wanted = std::min(kReadBytes + connection.reader.bytes_missing(), buffer_.size());
  const ssize_t size = recv(connection.fd, buffer_.data(), wanted, MSG_DONTWAIT);
  if (size > 0) {
    reading_ = &connection;
    unread_ = {buffer_.data(), static_cast<std::size_t>(size)};
    return;
  }
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  close(connection);
}

// True: `event` is to be told.
bool Router::read_on(RouterEvent& event) {
  using Read = wire::ZmtpReader::Event;
  Connection& connection = *reading_;
  const Read read = connection.reader.read(unread_, answer_);
  if (!answer_.empty()) answer(connection);
  switch (read) {
    case Read::kMessage:
    case Read::kTooLarge:
      event.kind = read == Read::kMessage ? RouterEvent::Kind::kMessage : RouterEvent::Kind::kTooLarge;
      event.peer = connection.id;
      event.frames = connection.reader.take_message();
      return true;
    case Read::kReady: welcome(connection); break;
    case Read::kRefused: refuse(connection, connection.reader.why_refused()); break;
    case Read::kNothing:
      reading_ = nullptr;
      count_kept(connection);
      break;
  }
  return false;
}

void Router::count_kept(Connection& connection) {
  const std::size_t kept = connection.reader.bytes_kept();
  kept_bytes_ += kept - std::exchange(connection.kept_bytes, kept);
  if (kept_bytes_ <= queue_limits_.bytes_max || kept <= fair_share()) return;
  refuse(connection, fmt::format("has sent {} bytes of a message that is not complete, and all peers together {}", kept,
                                 kept_bytes_));
}

// Of what all peers may have together.
std::size_t Router::fair_share() const noexcept {
  return std::min(queue_limits_.fair_bytes, queue_limits_.bytes_max / std::max<std::size_t>(connections_, 1));
}

void Router::answer(Connection& connection) {
  if (connection.queue.bytes() < kAnswersBytesMax) {
    connection.queue.add_bytes(answer_);
    queued_bytes_ += answer_.size();
    will_write(connection);
  }
  answer_.clear();
}

void Router::welcome(Connection& connection) {
  wire::RoutingId id(connection.reader.identity());
  if (id.value().empty()) id = new_routing_id();
  const auto [place, is_new] = peers_.emplace(id, &connection);
  // Without an ERROR, after which libzmq would never try again; what the peer wants to send, it keeps.
  if (!is_new) return refuse(connection, fmt::format("wants the routing id of {}", place->second->name));
  connection.id = std::move(id);
  connection.queue.add_bytes(connection.reader.welcome());
  queued_bytes_ += connection.reader.welcome().size();
  will_write(connection);
}

// Five bytes, the first one zero: none that a peer may choose. Source: 28/REQREP, ROUTER; 37/ZMTP, Identity.
wire::RoutingId Router::new_routing_id() {
  for (;;) {
    const std::uint32_t number = ++last_number_;
    std::string id(1, '\0');
    for (const unsigned shift : {24U, 16U, 8U, 0U}) id.push_back(static_cast<char>(number >> shift & 0xffU));
    if (wire::RoutingId made(std::move(id)); !peers_.contains(made)) return made;
  }
}

void Router::refuse(Connection& connection, std::string_view why) {
  events_.push_back({RouterEvent::Kind::kRefused, {}, {}, fmt::format("{} {}", connection.name, why)});
  write(connection);  // the reason, where there is one
  if (reading_ == &connection) reading_ = nullptr;
  end_stream(connection);
  close(connection);
}

// What was received and not read would make the kernel take back what was sent.
void Router::end_stream(const Connection& connection) {
  shutdown(connection.fd, SHUT_WR);
  for (int i = 0; i < kLastReadsMax && recv(connection.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT) > 0; ++i) {
  }
}

void Router::close(Connection& connection) {
  if (reading_ == &connection) reading_ = nullptr;
  if (!connection.id.value().empty()) {
    peers_.erase(connection.id);
    events_.push_back({RouterEvent::Kind::kClosed, std::move(connection.id), {}, {}});
  }
  queued_bytes_ -= connection.queue.bytes();
  kept_bytes_ -= connection.kept_bytes;
  --connections_;
  const int fd = connection.fd;
  place_of(fd).connection.reset();
  ::close(fd);
}

SendOutcome Router::send(const wire::RoutingId& peer, wire::Frames&& frames) {
  const auto found = peers_.find(peer);
  if (found == peers_.end() || found->second->broken || found->second->ends) return SendOutcome::kUnreachable;
  Connection& connection = *found->second;
  SendQueue& queue = connection.queue;
  const std::size_t size = wire::total_bytes(frames);
  const bool all_are_full = queued_bytes_ + size > queue_limits_.bytes_max;
  const bool full = queue.messages() >= queue_limits_.messages_per_peer_max ||
                    queue.bytes() >= queue_limits_.bytes_per_peer_max ||
                    (all_are_full && queue.bytes() + size > fair_share());
  if (full) return SendOutcome::kFull;
  const std::size_t before = queue.bytes();
  queue.add_message(connection.reader.framing(), std::move(frames));
  queued_bytes_ += queue.bytes() - before;
  will_write(connection);
  return SendOutcome::kSent;
}

void Router::close_peer(const wire::RoutingId& peer) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  found->second->ends = true;
  will_write(*found->second);
}

void Router::will_write(Connection& connection) {
  if (connection.will_write || connection.waits_for_room) return;
  connection.will_write = true;
  unwritten_.push_back(connection.fd);
}

void Router::flush() {
  for (const int fd : unwritten_) {
    Connection* const connection = place_of(fd).connection.get();  // or another one that has the descriptor now
    if (connection != nullptr && connection->will_write) write(*connection);
  }
  unwritten_.clear();
}

void Router::write(Connection& connection) {
  connection.will_write = false;
  if (connection.broken) return;
  const std::size_t before = connection.queue.bytes();
  const SendQueue::Outcome outcome = connection.queue.write_to(connection.fd);
  queued_bytes_ -= before - connection.queue.bytes();
  if (!connection.is_roomy && connection.queue.is_roomy()) {
    connection.is_roomy = true;
    roomy_.push_back(connection.fd);
  }
  const bool ended = connection.ends && outcome == SendQueue::Outcome::kEmpty;
  connection.broken = outcome == SendQueue::Outcome::kBroken || ended;
  if (connection.broken) shutdown(connection.fd, SHUT_RDWR);  // then epoll tells of its end, whatever it was
  const bool waits = outcome == SendQueue::Outcome::kBlocked;
  if (std::exchange(connection.waits_for_room, waits) == waits) return;
  epoll_.change(connection.fd, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void Router::look_after_connections(Instant now) {
  let_accept(true);
  for (const int fd : std::exchange(roomy_, {})) {
    Connection* const connection = place_of(fd).connection.get();
    if (connection == nullptr) continue;
    connection->is_roomy = false;
    connection->queue.shrink();
  }
  while (!handshakes_.empty() && now - handshakes_.front().began > kHandshakeMax) {
    const Handshake oldest = handshakes_.front();
    handshakes_.pop_front();
    Connection* const connection = place_of(oldest.fd).connection.get();
    // Or another one that has the descriptor now.
    if (connection == nullptr || !connection->id.value().empty() || connection->began != oldest.began) continue;
    refuse(*connection, "did not finish its handshake");
  }
}

}  // namespace compositord::net
