#pragma once
// Tells by an HTTP POST of JSON. Each request has an Idempotency-Key: the notification's `dedupe`.
//
// 2xx is success; 408, 425, 429 and 5xx are tried again, 429 and 503 not before Retry-After says; every other answer is a refusal.
// Redirects are followed a few times, from https to https only, and the body is sent again. Certificates are verified.
// Source: RFC 9110; draft-ietf-httpapi-idempotency-key-header.

#include "broker/notify/notifier.h"

namespace compositord::broker {

class Webhook final : public Notifier {
 public:
  explicit Webhook(NotifierConfig config);
  Attempt attempt(const Notification& notification, Duration timeout, int stop_fd) override;

 private:
  const NotifierConfig config_;
};

}  // namespace compositord::broker
