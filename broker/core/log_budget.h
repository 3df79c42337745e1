#pragma once
// Log events that peers, or a failing disk, can cause as often as they like are limited, so that a flood of bad bytes does not
// become a flood of log lines, nor hides what else there is to say. Everything is counted all the same.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/log_event.h"

namespace compositord::broker {

class LogBudget {
 public:
  struct LeftOut {
    std::string_view kind;  // an event's name
    std::uint64_t events;
  };

  // False: this event is to be left out.
  bool take(const LogEvent& event);
  // A second has passed. Returns what was left out in it, of each kind.
  std::vector<LeftOut> renew();

 private:
  static constexpr int kEventsMax = 20;  // of each kind, per second: one kind's flood hides no other's
  struct Kind {
    std::string_view name;
    int left = kEventsMax;
    std::uint64_t left_out = 0;
  };
  std::array<Kind, 13> kinds_{{{"message.malformed"},
                               {"message.too_large"},
                               {"connection.refused"},
                               {"send.dropped"},
                               {"feed.malformed"},
                               {"peer.expelled"},
                               {"request.dropped"},
                               {"request.expired"},
                               {"request.orphaned"},
                               {"worker.ready"},
                               {"worker.lost"},
                               {"worker.removed"},
                               {"store.failed"}}};
};

}  // namespace compositord::broker
