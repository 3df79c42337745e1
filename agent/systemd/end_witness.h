#pragma once
// Tells how a compositor's process ended where the kernel tells only the parent (before Linux 6.15): systemd is the parent of most
// compositors, and remembers. Asked at the moment of the end, on both buses, and never waited for: the end itself is told without it.

#include <poll.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/driver_event.h"
#include "agent/process/file_descriptor.h"
#include "agent/process/peer.h"
#include "agent/systemd/unit_on_bus.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::agent::systemd {

class EndWitness {
 public:
  // A systemd that says nothing for so long after the end is not waited for any more.
  static constexpr Duration kGiveUp = std::chrono::minutes(1);

  // `name`: the compositor's, for what is known of its ends. Errors: as open_pidfd().
  static Result<EndWitness> watch(const Peer& compositor, std::string name);

  void poll_fds(std::vector<pollfd>& fds) const;
  Instant next_deadline() const noexcept;
  void service(Instant now, DriverOutputs& out);

  // How it ended and who said so; none before.
  std::optional<driver_event::Gone> told() const;
  // Nothing will be told.
  bool is_over() const noexcept;
  pid_t pid() const noexcept { return pid_; }

 private:
  EndWitness(FileDescriptor pidfd, const Peer& compositor, std::string name);

  pid_t pid_;
  std::string name_;
  FileDescriptor pidfd_;  // closed at the end
  std::array<std::unique_ptr<UnitOnBus>, 2> units_;
  Instant give_up_at_ = kNever;
  bool given_up_ = false;
  bool logged_ = false;
};

}  // namespace compositord::agent::systemd
