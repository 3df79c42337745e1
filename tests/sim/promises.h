#pragma once
// What the bus promises of the time between an event and its news on the feed, checked wherever nothing else disturbs.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/msg/status.h"
#include "tests/sim/failures.h"

namespace compositord::sim {

class Promises {
 public:
  Promises(EventQueue& events, Failures& failures) : events_(events), failures_(failures) {}

  // Within this time a status of `id` is published for which `seen` is true.
  void expect(const std::string& id, Duration within, std::string what, std::function<bool(const msg::Status&)> seen);
  // Another thing has happened to it: nothing is expected any more.
  void cancel(const std::string& id) { open_.erase(id); }
  void cancel_all() { open_.clear(); }
  void published(const msg::Status& status);
  std::uint64_t kept() const noexcept { return kept_; }

 private:
  struct Promise {
    std::uint64_t number = 0;
    std::string what;
    std::function<bool(const msg::Status&)> seen;
  };
  void due(const std::string& id, std::uint64_t number);

  EventQueue& events_;
  Failures& failures_;
  std::map<std::string, std::vector<Promise>> open_;
  std::uint64_t made_ = 0;
  std::uint64_t kept_ = 0;
};

}  // namespace compositord::sim
