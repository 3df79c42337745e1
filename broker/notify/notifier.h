#pragma once
// One way to tell somebody.

#include <cstdint>
#include <memory>
#include <string>

#include "broker/notify/notification.h"
#include "broker/notify/notifier_config.h"
#include "common/base/instant.h"

namespace compositord::broker {

// How one attempt ended.
struct Attempt {
  enum class End : std::uint8_t {
    kDelivered,
    kFailed,   // it may go better later
    kRefused,  // it will not: the receiver understood and said no, or the configuration is wrong
    kStopped,  // stop_fd became readable: nobody is to know
  };
  End end = End::kFailed;
  std::string error;       // no credentials, no paths of URLs
  Duration retry_after{};  // what the receiver asked for, or 0
};

class Notifier {
 public:
  virtual ~Notifier() = default;
  // Waits for the receiver, no longer than `timeout`. On one thread only, which gets no signals; returns soon after `stop_fd`
  // became readable.
  virtual Attempt attempt(const Notification& notification, Duration timeout, int stop_fd) = 0;
};

// By the configuration's kind. What is wrong with a configuration that was checked shows in its attempts.
std::unique_ptr<Notifier> make_notifier(const NotifierConfig& config);

}  // namespace compositord::broker
