#pragma once
// All who are to be told: each on a thread of its own with a queue of its own, so that one that hangs delays neither the loop nor
// the others.
//
// What is submitted ends, for each notifier that wants it, in exactly one Delivered: after success, or after the final failure,
// when the notification is in the dead letters. What has not ended when the broker does is told nobody: whoever remembers it
// submits it again at the next start, with the same `dedupe`. Receivers may so get it twice, and know it by that.
//
// Thread rule: every member function is for the loop's thread.

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/notify/notification.h"
#include "broker/notify/notifier_config.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::broker {

class Notifiers {
 public:
  // `dead_letters`: the directory of that file, which exists. Errors: kLimit, when the system gives no thread or no event
  // descriptor.
  static Result<std::unique_ptr<Notifiers>> start(const std::vector<NotifierConfig>& configs,
                                                  const std::filesystem::path& dead_letters);
  ~Notifiers();  // stop(), if nobody stopped them before
  Notifiers(const Notifiers&) = delete;
  Notifiers& operator=(const Notifiers&) = delete;

  // The names of those who want it.
  std::vector<std::string> receivers(const Notification& notification) const;
  // Never waits. To one of them, whether it wants it or not; false when there is no such notifier. One that is still under way
  // there is not queued again.
  bool submit(const Notification& notification, std::string_view notifier);
  // To all who want it.
  void submit(const Notification& notification);

  // Readable while drain() has something to give. Owned by this object.
  int event_fd() const noexcept;
  std::vector<Delivered> drain();
  // Whether all that was submitted has ended, and was drained.
  bool is_idle() const noexcept;

  // Ends the threads; attempts under way are broken off. False when that took longer than `wait_max`, as with a D-Bus daemon that
  // does not answer: such a thread ends with the process.
  bool stop(Duration wait_max = kStopWait);
  static constexpr Duration kStopWait = std::chrono::seconds(2);

 private:
  struct Impl;
  explicit Notifiers(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace compositord::broker
