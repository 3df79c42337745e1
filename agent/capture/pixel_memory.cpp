#include "agent/capture/pixel_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

tl::unexpected<Error> no_memory(std::size_t bytes) {
  return fail(Status::kFailed, fmt::format("no memory for {} bytes of pixels: {}", bytes, std::strerror(errno)));
}

}  // namespace

Result<PixelMemory> PixelMemory::create(std::size_t bytes) {
  FileDescriptor fd(::memfd_create("compositord-pixels", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.is_open() || ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return no_memory(bytes);
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return no_memory(bytes);
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return no_memory(bytes);
  return PixelMemory(std::move(fd), static_cast<unsigned char*>(data), bytes);
}

PixelMemory::PixelMemory(FileDescriptor fd, unsigned char* data, std::size_t size)
    : fd_(std::move(fd)), data_(data), size_(size) {}

PixelMemory::PixelMemory(PixelMemory&& other) noexcept
    : fd_(std::move(other.fd_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

PixelMemory::~PixelMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace compositord::agent
