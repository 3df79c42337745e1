#pragma once
// An alert's change in the words that people get.

#include "broker/core/outputs.h"
#include "broker/notify/notification.h"

namespace compositord::broker {

Notification notification_of(const msg::Alert& alert);

}  // namespace compositord::broker
