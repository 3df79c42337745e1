#include "agent/process/file_descriptor.h"

#include <unistd.h>

namespace compositord::agent {

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

FileDescriptor::~FileDescriptor() { close(); }

void FileDescriptor::close() noexcept {
  // Linux closes the descriptor even when close() reports EINTR, so there is nothing to repeat.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace compositord::agent
