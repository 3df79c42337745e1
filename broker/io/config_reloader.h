#pragma once
// Reads the configuration again, on a thread of its own: heartbeats do not wait for a disk.
//
// Thread rule: every member function is for the loop's thread; `read` is called on the reloader's.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "broker/core/input.h"
#include "broker/notify/notifiers.h"
#include "common/base/log_event.h"
#include "common/base/result.h"

namespace compositord::broker {

class ConfigReloader {
 public:
  struct Read {
    input::Reloaded::Taken taken;  // for the core
    bool notifiers_changed = false;
    std::unique_ptr<Notifiers>
        notifiers;  // those that take over when they have changed; nothing when nobody is to be told
    std::vector<LogEvent> log;
  };
  // The whole of it is right and was taken, or an Error tells what is wrong, and nothing has changed.
  using Reader = std::function<Result<Read>()>;

  // `hangup_fd`: a signalfd; a signal on it asks for a reload. Errors: kLimit, when the system gives no thread or descriptor.
  static Result<std::unique_ptr<ConfigReloader>> start(Reader reader, int hangup_fd);
  ~ConfigReloader();  // does not wait for a disk
  ConfigReloader(const ConfigReloader&) = delete;
  ConfigReloader& operator=(const ConfigReloader&) = delete;

  // Never waits. Each ends in one Done with this id.
  void ask(std::uint64_t reload_id);
  int hangup_fd() const noexcept;
  // To be called when hangup_fd() is readable.
  void take_hangup();

  struct Done {
    std::uint64_t reload_id = 0;  // 0: somebody sent SIGHUP
    Result<Read> result;
  };
  int event_fd() const noexcept;  // readable while drain() has something to give
  std::vector<Done> drain();

 private:
  struct Impl;
  explicit ConfigReloader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace compositord::broker
