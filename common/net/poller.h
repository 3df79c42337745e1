#pragma once
// Waits for ZeroMQ sockets and native descriptors together, until a deadline.

#include <poll.h>

#include <cstddef>
#include <vector>

#include "common/base/instant.h"

namespace compositord::net {

class Poller {
 public:
  void clear();
  // Each returns the index to ask ready() with. `socket` is a wrapper's handle().
  std::size_t add_socket(void* socket);
  std::size_t add_fd(int fd, short events);
  // Waits at most `timeout` (rounded up to milliseconds; negative: not at all), at least one item ready or not.
  // A signal ends the wait early.
  void wait(Duration timeout);
  bool ready(std::size_t index) const { return fds_[index].revents != 0; }

 private:
  struct Socket {
    void* handle = nullptr;
    std::size_t index = 0;
    bool waiting = false;  // a message was there before anything was waited for
  };
  std::vector<pollfd> fds_;  // for a socket the descriptor that libzmq signals with
  std::vector<Socket> sockets_;
};

}  // namespace compositord::net
