#include "tests/sim/promises.h"

#include <algorithm>
#include <utility>

namespace compositord::sim {

void Promises::expect(const std::string& id, Duration within, std::string what,
                      std::function<bool(const msg::Status&)> seen) {
  const std::uint64_t number = ++made_;
  open_[id].push_back(Promise{number, std::move(what), std::move(seen)});
  events_.after(within, [this, id, number] { due(id, number); });
}

void Promises::published(const msg::Status& status) {
  const auto it = open_.find(status.id);
  if (it == open_.end()) return;
  const std::size_t kept = std::erase_if(it->second, [&](const Promise& promise) { return promise.seen(status); });
  kept_ += kept;
}

void Promises::due(const std::string& id, std::uint64_t number) {
  const auto it = open_.find(id);
  if (it == open_.end()) return;
  for (const Promise& promise : it->second) {
    if (promise.number == number) failures_.add("not on the feed in time: " + id + " " + promise.what);
  }
}

}  // namespace compositord::sim
