#pragma once
// Hears what the kernel tells of its devices, without udev. Source: netlink(7).

#include <poll.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/kernel/uevent.h"
#include "agent/process/file_descriptor.h"
#include "common/base/result.h"

namespace compositord::agent {

class UeventSocket {
 public:
  // A message has at most 2 KiB of pairs and a path; what is longer is none of the kernel's.
  static constexpr std::size_t kMessageBytesMax = 8192;
  // One call takes at most so many; a storm waits for the next.
  static constexpr int kMessagesPerServiceMax = 64;

  struct Heard {
    std::vector<Uevent> events;
    bool lost_some = false;  // the kernel had more to tell than the socket could hold
  };

  // Errors: kFailed, where a sandbox forbids it.
  static Result<UeventSocket> open();

  void poll_fds(std::vector<pollfd>& fds) const { fds.push_back(pollfd{socket_.get(), POLLIN, 0}); }
  // What the kernel has said. What anybody else has sent is left out: the sender must have port 0. Errors: kFailed when the
  // socket is of no more use.
  Result<Heard> service();

 private:
  explicit UeventSocket(FileDescriptor socket) : socket_(std::move(socket)) {}
  FileDescriptor socket_;
};

}  // namespace compositord::agent
