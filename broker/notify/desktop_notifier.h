#pragma once
// Tells whoever sits at a desktop: a notification of org.freedesktop.Notifications. One alert has one notification: a later change
// of it takes the place of the earlier one. A critical one that fires stays until it is closed.
//
// Calls wait for the D-Bus daemon and don't hear stop_fd.
// Source: Desktop Notifications Specification 1.2.

#include <cstdint>
#include <map>
#include <string>

#include "broker/notify/notifier.h"

namespace compositord::broker {

class DesktopNotifier final : public Notifier {
 public:
  explicit DesktopNotifier(NotifierConfig config);
  Attempt attempt(const Notification& notification, Duration timeout, int stop_fd) override;

 private:
  const NotifierConfig config_;
  std::map<std::string, std::uint32_t> shown_;  // the desktop's number of an alert's notification, by the alert's id
};

}  // namespace compositord::broker
