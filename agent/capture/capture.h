#pragma once
// How pixels are read from a compositor or an X server: one object for each shot, made by the driver that knows how.

#include <poll.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agent/capture/screenshot_request.h"
#include "agent/capture/shot.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::agent {

// Never blocks. Destroying it ends it, whatever it waits for.
class Capture {
 public:
  Capture() = default;
  virtual ~Capture() = default;
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  // Descriptors of its own to wait for, if it has any.
  virtual void poll_fds(std::vector<pollfd>& fds) const = 0;
  virtual Instant next_deadline() const noexcept = 0;
  // Goes on with it. The shot, or why there is none, once; nothing while it is under way. kUnsupported: this compositor will not
  // do it the next time either.
  virtual std::optional<Result<Shot>> service(Instant now) = 0;
};

using CaptureFactory = std::function<Result<std::unique_ptr<Capture>>(const ScreenshotRequest& request)>;

}  // namespace compositord::agent
