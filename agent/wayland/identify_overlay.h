#pragma once
// Carries out `identify` on a Wayland compositor that has zwlr_layer_shell_v1, on a connection of its own that lasts as long as
// the pictures do.
//
//   kIdle -> kGreeting (which outputs are there) -> kShowing (each gets its picture) -> kShown -> kIdle
//   any -> kIdle    the connection broke, the deadline passed, or the compositor is gone

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/identify/identify_request.h"
#include "agent/process/peer.h"
#include "agent/wayland/side_connection.h"
#include "common/base/instant.h"
#include "common/msg/manifest.h"

namespace compositord::agent {

class IdentifyOverlay {
 public:
  // A picture is drawn with the next frame or two; an output that has none after this long draws nothing.
  static constexpr Duration kShowTime = std::chrono::seconds(2);

  IdentifyOverlay();
  ~IdentifyOverlay();
  IdentifyOverlay(const IdentifyOverlay&) = delete;
  IdentifyOverlay& operator=(const IdentifyOverlay&) = delete;

  static msg::CommandSupport support(const std::vector<msg::Protocol>& protocols, const std::string& compositor);

  struct Target {
    std::string compositor;  // its name, for sentences
    std::string socket_path;
    const Peer& peer;
  };
  // Ends with one CommandFinished: kDone when it is shown everywhere. What an earlier command shows is replaced. Errors:
  // kMalformed, kConflict while an earlier one is not shown yet, kFailed when an output does not show it.
  void execute(std::uint64_t command_id, const msg::Value& params, const Target& target, Instant now, Instant deadline,
               DriverOutputs& out);
  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept { return until_; }
  void service(Instant now, DriverOutputs& out);
  // The compositor is gone, and what was shown with it.
  void on_gone(DriverOutputs& out);

 private:
  enum class State { kIdle, kGreeting, kShowing, kShown };
  struct Shown;  // what lives on the connection, and goes before it

  Result<void> begin(const Target& target);
  Result<void> show_cards();
  void check_shown(Instant now, DriverOutputs& out);
  void finish(Status status, std::string error, DriverOutputs& out);
  void end();

  State state_ = State::kIdle;
  IdentifyRequest request_;
  std::string compositor_;
  std::optional<std::uint64_t> command_id_;  // until it is answered
  std::unique_ptr<SideConnection> connection_;
  std::unique_ptr<Shown> shown_;
  Instant until_ = kNever;  // of being shown, or of waiting for it
};

}  // namespace compositord::agent
