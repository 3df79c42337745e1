#include "tools/compositorctl/fresh_metrics.h"

#include <optional>
#include <utility>
#include <vector>

#include "tools/compositorctl/fleet.h"

namespace compositord::ctl {

namespace {

// An entry of bus.status list, as far as it is about figures.
struct Measured {
  std::string id;
  std::optional<msg::Metrics> metrics;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("id", m.id);
    v("metrics", m.metrics);
  }
};

}  // namespace

void FreshMetrics::take(const feed::FeedOutputs& out) {
  for (const feed::StatusChange& change : out.changes) newer_.erase(change.status.id);
  for (const std::string& id : out.forgotten) newer_.erase(id);
}

Outcome<void> FreshMetrics::refresh(BusClient& bus) {
  const Outcome<std::vector<msg::Value>> statuses = fetch_all(bus, "bus.status", "list");
  if (!statuses) return tl::unexpected<Failure>(statuses.error());
  std::map<std::string, msg::Metrics, std::less<>> newer;
  for (const msg::Value& raw : *statuses) {
    Outcome<Measured> one = read_as<Measured>(raw, "bus.status list");
    if (!one) return tl::unexpected<Failure>(std::move(one.error()));
    newer[std::move(one->id)] = one->metrics.value_or(msg::Metrics{});
  }
  newer_ = std::move(newer);
  return {};
}

msg::Metrics FreshMetrics::of(const msg::Status& status) const {
  if (status.link.state == msg::Link::kLost || status.link.state == msg::Link::kLeft) return {};
  const auto newer = newer_.find(status.id);
  return newer != newer_.end() ? newer->second : status.metrics.value_or(msg::Metrics{});
}

}  // namespace compositord::ctl
