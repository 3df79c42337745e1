#pragma once
// Waits for ZeroMQ sockets and native descriptors together, until a deadline.

#include <poll.h>

#include <cstddef>
#include <memory>

#include "common/base/instant.h"

namespace compositord::net {

class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void clear();
  // Each returns the index to ask ready() with. `socket` is a wrapper's handle().
  std::size_t add_socket(void* socket);
  std::size_t add_fd(int fd, short events);
  // Waits at most `timeout` (rounded up to milliseconds; negative: not at all), at least one item ready or not.
  // A signal ends the wait early.
  void wait(Duration timeout);
  bool ready(std::size_t index) const;
  short events(std::size_t index) const;  // of a descriptor: poll(2)'s revents, without POLLHUP

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace compositord::net
