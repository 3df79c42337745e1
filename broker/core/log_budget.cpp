#include "broker/core/log_budget.h"

#include <algorithm>
#include <array>
#include <utility>

namespace compositord::broker {

namespace {

constexpr std::array<std::string_view, 12> kByPeers{"message.malformed", "connection.refused", "send.dropped",
                                                    "message.too_large", "feed.malformed",     "peer.expelled",
                                                    "request.dropped",   "request.expired",    "request.orphaned",
                                                    "worker.ready",      "worker.lost",        "worker.removed"};

// What agents do is never left out: operators look for it, and no peer can do it without registering an id.
bool is_about_an_agent(const LogEvent& event) {
  return std::any_of(event.fields.begin(), event.fields.end(), [](const auto& field) { return field.first == "id"; });
}

}  // namespace

bool LogBudget::take(const LogEvent& event) {
  int* left = nullptr;
  if (event.name == "store.failed") {
    left = &by_disk_left_;
  } else if (std::find(kByPeers.begin(), kByPeers.end(), event.name) != kByPeers.end() && !is_about_an_agent(event)) {
    left = &by_peers_left_;
  }
  if (left == nullptr || --*left >= 0) return true;
  *left = 0;
  ++left_out_;
  return false;
}

std::uint64_t LogBudget::renew() {
  by_peers_left_ = kEventsMax;
  by_disk_left_ = kEventsMax;
  return std::exchange(left_out_, 0);
}

}  // namespace compositord::broker
