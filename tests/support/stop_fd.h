#pragma once
// What tells a notifier to stop.

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace compositord::test {

class StopFd {
 public:
  StopFd() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~StopFd() { close(fd_); }
  StopFd(const StopFd&) = delete;
  StopFd& operator=(const StopFd&) = delete;
  int get() const noexcept { return fd_; }
  void stop() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
  }

 private:
  int fd_;
};

}  // namespace compositord::test
