#pragma once
// A first-in first-out queue with a maximum of items and of bytes. Full is an ordinary answer, not an accident.

#include <cstddef>
#include <deque>
#include <utility>

#include "common/base/check.h"

namespace compositord {

template <class T>
class BoundedQueue {
 public:
  BoundedQueue(std::size_t items_max, std::size_t bytes_max) : items_max_(items_max), bytes_max_(bytes_max) {}

  // False, and nothing changed, when the item would break either maximum.
  [[nodiscard]] bool push(T item, std::size_t bytes) {
    if (items_.size() >= items_max_ || bytes > bytes_max_ - bytes_) return false;
    bytes_ += bytes;
    items_.emplace_back(std::move(item), bytes);
    return true;
  }
  // Puts back at the head what was just popped; the room it left is still there.
  void push_front(T item, std::size_t bytes) {
    bytes_ += bytes;
    items_.emplace_front(std::move(item), bytes);
  }
  T pop() {
    CHECK(!items_.empty());
    T item = std::move(items_.front().first);
    bytes_ -= items_.front().second;
    items_.pop_front();
    return item;
  }
  const T& front() const { return items_.front().first; }
  bool empty() const noexcept { return items_.empty(); }
  std::size_t size() const noexcept { return items_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::deque<std::pair<T, std::size_t>> items_;
  std::size_t items_max_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
};

}  // namespace compositord
