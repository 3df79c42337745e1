#pragma once
// How the notifiers' threads tell the loop what became of notifications: a list and an event descriptor.

#include <memory>
#include <mutex>
#include <vector>

#include "broker/notify/notification.h"
#include "common/base/result.h"

namespace compositord::broker {

// Any thread may call its members.
class Results {
 public:
  // Errors: kLimit, when the system gives no descriptor.
  static Result<std::shared_ptr<Results>> make();
  ~Results();
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;

  void add(Delivered result);
  std::vector<Delivered> drain();
  int event_fd() const noexcept { return event_fd_; }  // readable while drain() has something to give

 private:
  explicit Results(int event_fd) : event_fd_(event_fd) {}
  const int event_fd_;
  std::mutex mutex_;
  std::vector<Delivered> results_;
};

}  // namespace compositord::broker
