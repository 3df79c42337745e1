#include "common/net/poller.h"

#include <zmq.h>

#include <algorithm>

#include "common/base/check.h"

namespace compositord::net {

namespace {

bool has_message(void* socket) {
  int events = 0;
  std::size_t size = sizeof(events);
  return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

}  // namespace

void Poller::clear() {
  fds_.clear();
  sockets_.clear();
}

std::size_t Poller::add_socket(void* socket) {
  int fd = -1;
  std::size_t size = sizeof(fd);
  CHECK(zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0);
  sockets_.push_back(Socket{socket, fds_.size(), false});
  return add_fd(fd, POLLIN);
}

std::size_t Poller::add_fd(int fd, short events) {
  fds_.push_back(pollfd{fd, events, 0});
  return fds_.size() - 1;
}

void Poller::wait(Duration timeout) {
  constexpr std::int64_t kTimeoutMsMax = 3'600'000;  // the caller computes its deadline anew at each turn anyway
  std::int64_t ms = std::clamp<std::int64_t>((timeout.count() + 999'999) / 1'000'000, 0, kTimeoutMsMax);
  // A socket's descriptor tells only of what is new (zmq_getsockopt(3), ZMQ_FD): what came before is found by asking it.
  for (Socket& socket : sockets_) {
    socket.waiting = has_message(socket.handle);
    if (socket.waiting) ms = 0;
  }
  if (poll(fds_.data(), fds_.size(), static_cast<int>(ms)) < 0) {
    for (pollfd& fd : fds_) fd.revents = 0;
  }
  for (const Socket& socket : sockets_) {
    short& revents = fds_[socket.index].revents;
    revents = socket.waiting || (revents != 0 && has_message(socket.handle)) ? POLLIN : short{0};
  }
}

}  // namespace compositord::net
