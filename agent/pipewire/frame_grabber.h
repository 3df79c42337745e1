#pragma once
// One frame of a video node of PipeWire, as pixels. libpipewire has a loop of its own and reads configuration files, so it gets a
// thread of its own, for one frame; nobody waits for that thread, also not the destructor.
//
// Source: PipeWire's tutorial "Capturing video frames", and pipewire/stream.h.

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "agent/capture/shot.h"
#include "agent/process/file_descriptor.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::agent::pipewire {

class FrameGrabber {
 public:
  // However long its caller would wait: a thread that nobody asks to stop shall not stay for ever.
  static constexpr Duration kTimeMax = std::chrono::minutes(1);

  // `remote`: a connection to the PipeWire server on which nothing was said yet. Errors: kLimit when there can be no thread.
  static Result<FrameGrabber> start(FileDescriptor remote, std::uint32_t node);
  FrameGrabber(FrameGrabber&&) noexcept = default;
  FrameGrabber& operator=(FrameGrabber&&) = delete;
  ~FrameGrabber();  // asks the thread to end

  void poll_fds(std::vector<pollfd>& fds) const;
  // The frame, or why there is none; nothing while it is not decided. Errors: kFailed, kTooLarge.
  std::optional<Result<Pixels>> take();

  struct Shared;  // with the thread

 private:
  explicit FrameGrabber(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<Shared> shared_;
};

}  // namespace compositord::agent::pipewire
