#include "broker/notify/delivery.h"

#include <poll.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "broker/notify/backoff.h"
#include "common/base/clock.h"

namespace compositord::broker {

namespace {

// True when `stop_fd` became readable.
bool wait_or_stop(Duration duration, int stop_fd) {
  pollfd stop{stop_fd, POLLIN, 0};
  const std::int64_t ms = std::min<std::int64_t>(to_ms(duration) + 1, std::numeric_limits<int>::max());
  return poll(&stop, 1, static_cast<int>(ms)) > 0;
}

}  // namespace

Delivery::Delivery(NotifierConfig config, std::unique_ptr<Notifier> notifier, std::uint64_t seed)
    : config_(std::move(config)), notifier_(std::move(notifier)), random_(seed) {}

std::optional<Delivered> Delivery::deliver(const Notification& notification, Instant submitted, int stop_fd) {
  const Instant last_moment = submitted + config_.give_up_after;
  Delivered end{notification.dedupe, config_.name, false, 0, {}};
  for (;;) {
    ++end.attempts;
    Attempt attempt = notifier_->attempt(notification, config_.timeout, stop_fd);
    if (attempt.end == Attempt::End::kStopped) return std::nullopt;
    end.ok = attempt.end == Attempt::End::kDelivered;
    end.error = end.ok ? std::string() : std::move(attempt.error);
    if (attempt.end != Attempt::End::kFailed || end.attempts >= config_.attempts) return end;
    const Duration wait = std::max(backoff(end.attempts, config_.backoff, random_.next()), attempt.retry_after);
    if (monotonic_now() + wait > last_moment) return end;
    if (wait_or_stop(wait, stop_fd)) return std::nullopt;
  }
}

}  // namespace compositord::broker
