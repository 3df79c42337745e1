#pragma once
// SIGHUP as a descriptor to read from, for the agent that passes it on. Where nobody makes one, SIGHUP ends the agent as it
// ends any program.

#include "agent/process/file_descriptor.h"

namespace compositord::agent {

// To be made before any other thread, which inherits the blocked signal. A program has one.
class HangupSignal {
 public:
  HangupSignal();
  int fd() const noexcept { return fd_.get(); }  // a signalfd, non-blocking

 private:
  FileDescriptor fd_;
};

}  // namespace compositord::agent
