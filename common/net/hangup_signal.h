#pragma once
// SIGHUP as a descriptor to read from, for a program that does something with it. Where nobody makes one, SIGHUP ends the program
// as it ends any.

namespace compositord::net {

// To be made before any other thread, which inherits the blocked signal. A program has one.
class HangupSignal {
 public:
  HangupSignal();
  ~HangupSignal();
  HangupSignal(const HangupSignal&) = delete;
  HangupSignal& operator=(const HangupSignal&) = delete;
  int fd() const noexcept { return fd_; }  // a signalfd, non-blocking

 private:
  int fd_;
};

}  // namespace compositord::net
