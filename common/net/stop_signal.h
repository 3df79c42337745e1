#pragma once
// SIGINT and SIGTERM as a descriptor to poll for, and SIGPIPE ignored.

namespace compositord::net {

// To be made before any other thread, which inherits the blocked signals. A program has one.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  int fd() const noexcept { return fd_; }  // readable once a signal has come

 private:
  int fd_;
};

}  // namespace compositord::net
