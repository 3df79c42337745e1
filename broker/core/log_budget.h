#pragma once
// Log events that peers can cause as often as they like are limited, so that a flood of bad bytes does not become a flood of
// log lines, nor hides what the broker has to say of itself. Everything is counted all the same.

#include <cstdint>

#include "common/base/log_event.h"

namespace compositord::broker {

class LogBudget {
 public:
  // False: this event is to be left out.
  bool take(const LogEvent& event);
  // A second has passed. Returns how many events were left out in it.
  std::uint64_t renew();

 private:
  static constexpr int kEventsMax = 20;  // of each class, per second
  int by_peers_left_ = kEventsMax;
  int by_disk_left_ = kEventsMax;
  std::uint64_t left_out_ = 0;
};

}  // namespace compositord::broker
