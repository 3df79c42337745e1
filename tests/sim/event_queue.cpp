#include "tests/sim/event_queue.h"

#include <algorithm>
#include <utility>

namespace compositord::sim {

bool EventQueue::later(const Event& a, const Event& b) {
  return a.when != b.when ? a.when > b.when : a.order > b.order;
}

void EventQueue::at(Instant when, std::function<void()> what) {
  heap_.push_back(Event{std::max(when, now_), ++asked_, std::move(what)});
  std::push_heap(heap_.begin(), heap_.end(), &EventQueue::later);
}

void EventQueue::run_until(Instant end, const bool& stop) {
  while (!stop && !heap_.empty() && heap_.front().when <= end) {
    std::pop_heap(heap_.begin(), heap_.end(), &EventQueue::later);
    const Event event = std::move(heap_.back());
    heap_.pop_back();
    now_ = event.when;
    ++happened_;
    event.what();
  }
  if (!stop) now_ = std::max(now_, end);
}

}  // namespace compositord::sim
