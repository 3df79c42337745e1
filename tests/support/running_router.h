#pragma once
// A Router that is served, and peers of it: libzmq's, and bare connections.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/net/router.h"
#include "common/net/zmq_socket.h"

namespace compositord::test {

// A router whose owner has nothing else to do.
class RunningRouter {
 public:
  explicit RunningRouter(const std::string& endpoint = "tcp://127.0.0.1:*", const wire::MessageLimits& limits = {},
                         const net::QueueLimits& queue_limits = {})
      : router_(epoll_, limits, queue_limits), endpoint_(*router_.bind(endpoint)) {}

  net::Router& operator*() { return router_; }
  net::Router* operator->() { return &router_; }
  const std::string& endpoint() const { return endpoint_; }

  // The next thing that happens; kNothing when nothing does for long.
  net::RouterEvent next() {
    net::RouterEvent event;
    if (!eventually([&] { return !events_.empty(); })) return event;
    event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  bool has_event() const { return !events_.empty(); }
  Instant& now() { return now_; }  // its time stands still otherwise
  // Works until `done`; false when that takes too long.
  bool eventually(const std::function<bool()>& done) {
    const Instant deadline = monotonic_now() + std::chrono::seconds(20);
    while (!done()) {
      if (monotonic_now() > deadline) return false;
      work(std::chrono::milliseconds(5));
    }
    return true;
  }
  // As a loop that has other things to do: asks epoll again before all is taken. Returns the messages that were taken.
  std::vector<net::RouterEvent> work_a_little() {
    for (const net::Epoll::Ready& ready : epoll_.wait({})) router_.take(ready);
    std::vector<net::RouterEvent> events;
    while (events.size() < 256) {
      net::RouterEvent event = router_.next(now_);
      if (event.kind == net::RouterEvent::Kind::kNothing) break;
      events.push_back(std::move(event));
    }
    router_.flush();
    return events;
  }
  void work(Duration timeout) {
    router_.flush();
    for (const net::Epoll::Ready& ready : epoll_.wait(timeout)) router_.take(ready);
    while (router_.has_more()) {
      if (net::RouterEvent event = router_.next(now_); event.kind != net::RouterEvent::Kind::kNothing)
        events_.push_back(std::move(event));
    }
    router_.flush();
  }
  // Sends, and writes it.
  net::SendOutcome send(const wire::RoutingId& peer, const wire::Frames& frames) {
    const net::SendOutcome outcome = router_.send(peer, wire::Frames(frames));
    router_.flush();
    return outcome;
  }

 private:
  net::Epoll epoll_;
  net::Router router_;
  std::string endpoint_;
  std::deque<net::RouterEvent> events_;
  Instant now_ = Instant::from_ns(1'000'000'000'000);
};

// libzmq's side.
class Client {
 public:
  explicit Client(const std::string& endpoint) : dealer_(context_, {}) { EXPECT_TRUE(dealer_.connect(endpoint)); }
  // With ZMQ_IMMEDIATE nothing is taken before the connection is there, so the router has to work meanwhile.
  void send(RunningRouter& router, const wire::Frames& frames) {
    EXPECT_TRUE(router.eventually([&] { return dealer_.send(wire::Frames(frames)) == net::SendOutcome::kSent; }));
  }
  wire::Frames receive(RunningRouter& router) {
    net::Received received;
    EXPECT_TRUE(
        router.eventually([&] { return (received = dealer_.receive()).outcome == net::ReceiveOutcome::kMessage; }));
    return std::move(received.frames);
  }

 private:
  net::ZmqContext context_;
  net::Dealer dealer_;
};

// A bare connection, which speaks byte by byte.
class BareClient {
 public:
  explicit BareClient(const std::string& endpoint) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  ~BareClient() { close(fd_); }
  BareClient(const BareClient&) = delete;
  BareClient& operator=(const BareClient&) = delete;

  void write(std::string_view bytes) {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // As much as the kernel takes; how much that was.
  std::size_t write_some(std::string_view bytes) {
    const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return size < 0 ? 0 : static_cast<std::size_t>(size);
  }
  // What has come; nothing when the connection was closed.
  std::optional<std::string> read() {
    std::string bytes(65'536, '\0');
    const ssize_t size = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN)) return std::nullopt;
    bytes.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return bytes;
  }
  bool read_until(RunningRouter& router, const std::string& wanted) {
    std::string all;
    return router.eventually([&] { return (all += read().value_or("")).find(wanted) != std::string::npos; });
  }
  std::string read_to_the_end() {
    std::string all;
    std::string bytes(65'536, '\0');
    for (ssize_t size = 0; (size = recv(fd_, bytes.data(), bytes.size(), 0)) > 0;) {
      all.append(bytes, 0, static_cast<std::size_t>(size));
    }
    return all;
  }
  bool wait_closed(RunningRouter& router) {
    return router.eventually([&] { return !read(); });
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace compositord::test
