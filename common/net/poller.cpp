#include "common/net/poller.h"

#include <zmq.h>

#include <algorithm>
#include <vector>

namespace compositord::net {

struct Poller::Impl {
  std::vector<zmq_pollitem_t> items;
};

Poller::Poller() : impl_(std::make_unique<Impl>()) {}
Poller::~Poller() = default;

void Poller::clear() { impl_->items.clear(); }

std::size_t Poller::add_socket(void* socket) {
  impl_->items.push_back(zmq_pollitem_t{socket, -1, ZMQ_POLLIN, 0});
  return impl_->items.size() - 1;
}

std::size_t Poller::add_fd(int fd, short events) {
  short wanted = 0;
  if ((events & POLLIN) != 0) wanted |= ZMQ_POLLIN;
  if ((events & POLLOUT) != 0) wanted |= ZMQ_POLLOUT;
  if ((events & POLLPRI) != 0) wanted |= ZMQ_POLLPRI;
  impl_->items.push_back(zmq_pollitem_t{nullptr, fd, wanted, 0});
  return impl_->items.size() - 1;
}

void Poller::wait(Duration timeout) {
  constexpr std::int64_t kTimeoutMsMax = 3'600'000;  // the caller computes its deadline anew at each turn anyway
  const std::int64_t ms = (timeout.count() + 999'999) / 1'000'000;
  for (zmq_pollitem_t& item : impl_->items) item.revents = 0;
  zmq_poll(impl_->items.data(), static_cast<int>(impl_->items.size()),
           static_cast<long>(std::clamp<std::int64_t>(ms, 0, kTimeoutMsMax)));
}

bool Poller::ready(std::size_t index) const { return impl_->items[index].revents != 0; }

short Poller::events(std::size_t index) const {
  const short got = impl_->items[index].revents;
  short events = 0;
  if ((got & ZMQ_POLLIN) != 0) events |= POLLIN;
  if ((got & ZMQ_POLLOUT) != 0) events |= POLLOUT;
  if ((got & ZMQ_POLLERR) != 0) events |= POLLERR;
  return events;
}

}  // namespace compositord::net
