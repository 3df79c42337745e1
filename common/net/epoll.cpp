#include "common/net/epoll.h"

#include <unistd.h>

#include <algorithm>

#include "common/base/check.h"

namespace compositord::net {

namespace {

// As many are told of at once; the others at the next call, before these again.
constexpr std::size_t kReadyMax = 256;

epoll_event event_of(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return event;
}

}  // namespace

Epoll::Epoll() : fd_(epoll_create1(EPOLL_CLOEXEC)), events_(kReadyMax) { CHECK(fd_ >= 0); }

Epoll::~Epoll() { close(fd_); }

bool Epoll::add(int fd, std::uint32_t events) {
  epoll_event event = event_of(fd, events);
  return epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Epoll::change(int fd, std::uint32_t events) {
  epoll_event event = event_of(fd, events);
  CHECK(epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event) == 0);
}

const std::vector<Epoll::Ready>& Epoll::wait(Duration timeout) {
  constexpr std::int64_t kTimeoutMsMax = 3'600'000;  // the caller computes its deadline anew at each turn anyway
  const std::int64_t ms = std::clamp<std::int64_t>((timeout.count() + 999'999) / 1'000'000, 0, kTimeoutMsMax);
  const int count = epoll_wait(fd_, events_.data(), static_cast<int>(events_.size()), static_cast<int>(ms));
  ready_.clear();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    ready_.push_back({event.data.fd, event.events});
  }
  return ready_;
}

}  // namespace compositord::net
