#pragma once
// Descriptors that are waited for together, many of them and for long: epoll(7). One that is closed is forgotten.

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/instant.h"

namespace compositord::net {

class Epoll {
 public:
  struct Ready {
    int fd = -1;
    std::uint32_t events = 0;  // EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR
  };

  Epoll();
  ~Epoll();
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;

  // False: the system has no room for it.
  bool add(int fd, std::uint32_t events);
  void change(int fd, std::uint32_t events);
  // Waits until one of them is ready, at most `timeout` (rounded up to milliseconds; negative: not at all). A signal ends the
  // wait early. The answer is good until the next call.
  const std::vector<Ready>& wait(Duration timeout);
  int fd() const noexcept { return fd_; }  // readable when one of them is ready: to be waited for with others

 private:
  int fd_;
  std::vector<epoll_event> events_;
  std::vector<Ready> ready_;
};

}  // namespace compositord::net
