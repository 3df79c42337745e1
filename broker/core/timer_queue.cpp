#include "broker/core/timer_queue.h"

#include <utility>

#include "common/base/check.h"

namespace compositord::broker {

TimerId TimerQueue::arm(Instant at, TimerKind kind, std::uint64_t key) {
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  slots_[slot].timer = Timer{at, kind, key};
  slots_[slot].order = ++armed_;
  heap_.push_back(slot);
  slots_[slot].position = heap_.size() - 1;
  sift_up(heap_.size() - 1);
  return slot + 1;
}

void TimerQueue::cancel(TimerId& id) {
  if (id == 0) return;
  const std::size_t position = slots_[id - 1].position;
  CHECK(position < heap_.size() && heap_[position] == id - 1);
  remove_at(position);
  id = 0;
}

std::optional<Timer> TimerQueue::pop_due(Instant now) {
  if (heap_.empty() || slots_[heap_[0]].timer.at > now) return std::nullopt;
  const Timer timer = slots_[heap_[0]].timer;
  remove_at(0);
  return timer;
}

Instant TimerQueue::next() const noexcept { return heap_.empty() ? kNever : slots_[heap_[0]].timer.at; }

void TimerQueue::shift_all(Duration by) {
  for (const std::uint32_t slot : heap_) slots_[slot].timer.at = slots_[slot].timer.at + by;
}

bool TimerQueue::check_invariants() const {
  if (heap_.size() + free_.size() != slots_.size()) return false;
  for (std::size_t i = 0; i < heap_.size(); ++i) {
    if (slots_[heap_[i]].position != i) return false;
    if (i > 0 && before(heap_[i], heap_[(i - 1) / 2])) return false;
  }
  return true;
}

bool TimerQueue::before(std::uint32_t a, std::uint32_t b) const {
  const Slot& x = slots_[a];
  const Slot& y = slots_[b];
  return x.timer.at != y.timer.at ? x.timer.at < y.timer.at : x.order < y.order;
}

void TimerQueue::place(std::size_t position, std::uint32_t slot) {
  heap_[position] = slot;
  slots_[slot].position = position;
}

void TimerQueue::sift_up(std::size_t position) {
  const std::uint32_t slot = heap_[position];
  while (position > 0) {
    const std::size_t parent = (position - 1) / 2;
    if (!before(slot, heap_[parent])) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, slot);
}

void TimerQueue::sift_down(std::size_t position) {
  const std::uint32_t slot = heap_[position];
  for (;;) {
    std::size_t child = 2 * position + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
    if (!before(heap_[child], slot)) break;
    place(position, heap_[child]);
    position = child;
  }
  place(position, slot);
}

void TimerQueue::remove_at(std::size_t position) {
  free_.push_back(heap_[position]);
  const std::uint32_t last = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) return;
  place(position, last);
  sift_up(position);
  sift_down(slots_[last].position);
}

}  // namespace compositord::broker
