#pragma once
// One notification at one notifier, from its first attempt to its end: runs on the notifier's thread.

#include <memory>
#include <optional>

#include "broker/notify/notification.h"
#include "broker/notify/notifier.h"
#include "broker/notify/notifier_config.h"
#include "common/base/instant.h"
#include "common/base/random.h"

namespace compositord::broker {

class Delivery {
 public:
  Delivery(NotifierConfig config, std::unique_ptr<Notifier> notifier, std::uint64_t seed);

  // Attempts until one succeeds, is refused, or there is no more of the time or the number that the configuration allows. Nothing
  // when `stop_fd` became readable before.
  std::optional<Delivered> deliver(const Notification& notification, Instant submitted, int stop_fd);

 private:
  const NotifierConfig config_;
  const std::unique_ptr<Notifier> notifier_;
  Random random_;
};

}  // namespace compositord::broker
