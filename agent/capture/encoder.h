#pragma once
// Makes screenshots of shots on a thread of their own, one at a time: a 4K picture takes more than 100 ms, and the agent's loop
// must not. The end of the work makes a descriptor readable.

#include <memory>
#include <optional>
#include <thread>

#include "agent/capture/screenshot.h"
#include "agent/process/file_descriptor.h"
#include "common/base/result.h"

namespace compositord::agent {

class Encoder {
 public:
  Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  // The work that goes on ends at its next row.
  ~Encoder() = default;

  // Errors: kFailed, when the system gives no thread or no descriptor. It must not be busy.
  Result<void> begin(Shot shot, ScreenshotRequest request);
  // The result is not wanted any more; it is busy until the thread has noticed.
  void cancel();
  bool is_busy() const noexcept { return work_ != nullptr; }
  int fd() const noexcept;  // to be read-polled while it is busy
  // The result, once, when the work has ended; nothing for work that was cancelled.
  std::optional<Result<Screenshot>> take();

 private:
  // What the thread and its owner share. The result is the thread's until `ended` is readable.
  struct Work {
    FileDescriptor ended;  // an eventfd
    Result<Screenshot> result = fail(Status::kFailed, "not made yet");
    bool is_cancelled = false;  // the owner's alone
    std::jthread thread;        // last: it is stopped and joined before what it uses goes
  };
  std::unique_ptr<Work> work_;
};

}  // namespace compositord::agent
