#pragma once
// What a compositor offers beside its Wayland socket, for example on its session bus: facts, outputs and commands. The Wayland driver
// owns one where there is one, polls it like its own socket and ends it with the compositor. It never blocks.

#include <poll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/capture/capture.h"
#include "agent/driver.h"
#include "agent/output/output_manager.h"
#include "agent/process/peer.h"
#include "common/base/instant.h"

namespace compositord::agent {

class Companion {
 public:
  Companion() = default;
  virtual ~Companion() = default;
  Companion(const Companion&) = delete;
  Companion& operator=(const Companion&) = delete;

  // As a driver's own.
  virtual void poll_fds(std::vector<pollfd>& fds) const = 0;
  virtual Instant next_deadline() const noexcept = 0;
  virtual void service(Instant now, DriverOutputs& out) = 0;

  // Whether what it tells has changed since the last call.
  virtual bool take_changed() noexcept = 0;
  // Whether it still asks for what the first description should have.
  virtual bool is_asking() const noexcept = 0;
  // The version in the compositor's own words; empty when it doesn't tell.
  virtual std::string version() const { return {}; }
  virtual std::string version_source() const { return {}; }
  // Configures outputs where no Wayland protocol does; none when it can't.
  virtual OutputManager* output_manager() noexcept { return nullptr; }
  // Takes a picture of these outputs, where no Wayland protocol does and support() says that it can. The capture ends before this does.
  virtual Result<std::unique_ptr<Capture>> begin_capture(const ScreenshotRequest& request,
                                                         const std::vector<KnownOutput>& outputs) {
    static_cast<void>(request);
    static_cast<void>(outputs);
    return fail(Status::kUnsupported, "it takes no screenshots");
  }
  // Marks the commands that it carries out itself, and has something to say of.
  virtual void support(std::vector<msg::CommandSupport>& commands, const std::string& compositor) const = 0;
  // Carries out one of those that it marked as supported and that is not an output's. Ends with one CommandFinished, by `deadline`.
  virtual void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
                       Instant deadline, DriverOutputs& out) = 0;
  // The compositor is gone: what is at work ends with kGone.
  virtual void on_gone(DriverOutputs& out) = 0;
};

// The companion of a compositor of this name; none for most. Never blocks.
using CompanionFactory =
    std::function<std::unique_ptr<Companion>(const std::string& compositor, const Peer& peer, DriverOutputs& out)>;

}  // namespace compositord::agent
