#pragma once
// Memory for the pixels of one picture that a compositor can be given a descriptor of (wl_shm). It is sealed against
// shrinking: a compositor that cut it off would end us with SIGBUS at the next read.

#include <cstddef>

#include "agent/process/file_descriptor.h"
#include "common/base/result.h"

namespace compositord::agent {

class PixelMemory {
 public:
  // All zero. Errors: kFailed, when the system has no memory for it.
  static Result<PixelMemory> create(std::size_t bytes);

  PixelMemory(PixelMemory&& other) noexcept;
  PixelMemory& operator=(PixelMemory&&) = delete;
  PixelMemory(const PixelMemory&) = delete;
  PixelMemory& operator=(const PixelMemory&) = delete;
  ~PixelMemory();

  int fd() const noexcept { return fd_.get(); }
  unsigned char* data() noexcept { return data_; }
  const unsigned char* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  PixelMemory(FileDescriptor fd, unsigned char* data, std::size_t size);

  FileDescriptor fd_;
  unsigned char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace compositord::agent
