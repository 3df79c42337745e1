#pragma once
// Tells a program: the alert's JSON on its standard input, and in its environment COMPOSITORD_STATE, _SEVERITY, _SUBJECT, _LAYER,
// _TITLE, _TEXT, _DEDUPE, _SINCE and _AT. Exit status 0 is success; everything else is tried again.
//
// No shell. The program is in a process group of its own, which is killed when it takes too long. Of our environment it gets
// PATH, HOME, USER, LANG, LC_ALL, TZ, XDG_RUNTIME_DIR and DBUS_SESSION_BUS_ADDRESS; of our descriptors none.

#include <sys/types.h>

#include <vector>

#include "broker/notify/notifier.h"

namespace compositord::broker {

class ExecNotifier final : public Notifier {
 public:
  explicit ExecNotifier(NotifierConfig config);
  Attempt attempt(const Notification& notification, Duration timeout, int stop_fd) override;

 private:
  void reap_the_left();

  const NotifierConfig config_;
  std::vector<pid_t> left_;  // killed, and not yet gone when there was no more time to wait
};

}  // namespace compositord::broker
