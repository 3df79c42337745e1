#pragma once
// Carries out `windows` on a Wayland compositor that has zwlr_foreign_toplevel_manager_v1: on a connection of its own for each
// question, because on one that stays every change of a title would wake the agent.
//
//   begin -> round trips (which outputs; their names, and the windows) -> ended

#include <poll.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/process/peer.h"
#include "agent/wayland/side_connection.h"
#include "common/base/instant.h"
#include "common/msg/manifest.h"

namespace compositord::agent {

class WindowQuery {
 public:
  static constexpr std::size_t kAtWorkMax = 4;

  WindowQuery();
  ~WindowQuery();
  WindowQuery(const WindowQuery&) = delete;
  WindowQuery& operator=(const WindowQuery&) = delete;

  static msg::CommandSupport support(const std::vector<msg::Protocol>& protocols, const std::string& compositor);

  struct Target {
    std::string compositor;  // its name, for sentences
    std::string socket_path;
    const Peer& peer;
  };
  // Ends with one CommandFinished. Errors: kMalformed, kLimit when kAtWorkMax are at work, kFailed, kDeadline, kGone.
  void execute(std::uint64_t command_id, const msg::Value& params, const Target& target, Instant now, Instant deadline,
               DriverOutputs& out);
  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept;
  void service(Instant now, DriverOutputs& out);
  void on_gone(DriverOutputs& out);

 private:
  struct Question;  // its connection, and what lives on it
  // Whether it has ended.
  static bool go_on(Question& question, Instant now, DriverOutputs& out);

  std::vector<std::unique_ptr<Question>> questions_;
};

}  // namespace compositord::agent
