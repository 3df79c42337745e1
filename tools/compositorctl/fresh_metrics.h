#pragma once
// What was measured of each compositor, newer than the feed has it: that publishes no figures by themselves.

#include <functional>
#include <map>
#include <string>

#include "common/base/instant.h"
#include "common/feed/feed_view.h"
#include "common/msg/status.h"
#include "tools/compositorctl/bus_client.h"

namespace compositord::ctl {

class FreshMetrics {
 public:
  // How often they are worth asking for: agents report them each 10 s.
  static constexpr Duration kInterval = std::chrono::seconds(5);

  // A status that the feed brought has newer figures than the bus told before.
  void take(const feed::FeedOutputs& out);
  // Asks the bus for those of all compositors. Failures: as fetch_all(); the figures are then what they were.
  Outcome<void> refresh(BusClient& bus);
  // The newest of this compositor's; empty while its agent is away, for then they are nobody's.
  msg::Metrics of(const msg::Status& status) const;

 private:
  std::map<std::string, msg::Metrics, std::less<>> newer_;
};

}  // namespace compositord::ctl
