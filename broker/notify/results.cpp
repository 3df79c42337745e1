#include "broker/notify/results.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace compositord::broker {

Result<std::shared_ptr<Results>> Results::make() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    return fail(Status::kLimit,
                fmt::format("no event descriptor for the notifiers: {}", std::generic_category().message(errno)));
  }
  return std::shared_ptr<Results>(new Results(fd));
}

Results::~Results() { close(event_fd_); }

void Results::add(Delivered result) {
  const std::lock_guard lock(mutex_);
  results_.push_back(std::move(result));
  const std::uint64_t one = 1;
  // It fails only when 2^64 - 2 wake-ups are unread, and then the descriptor is readable anyway.
  [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof one);
}

std::vector<Delivered> Results::drain() {
  const std::lock_guard lock(mutex_);
  std::uint64_t count = 0;
  // Empty (EAGAIN) is as good as read.
  [[maybe_unused]] const ssize_t got = read(event_fd_, &count, sizeof count);
  return std::exchange(results_, {});
}

}  // namespace compositord::broker
