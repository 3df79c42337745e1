#pragma once
// Driver: what every kind of compositor offers to the agent. One object per compositor process: it is made when a display
// accepts a connection and thrown away when that compositor is gone.
//
// A driver never blocks. It owns file descriptors that the loop polls for it, and says everything it learns as
// DriverEvents; it never calls back. Thread rule: everything runs on the agent's loop thread.

#include <poll.h>

#include <cstdint>
#include <string>
#include <vector>

#include "agent/driver_event.h"
#include "common/base/instant.h"
#include "common/base/log_event.h"
#include "common/msg/value.h"

namespace compositord::agent {

// What a driver appends to in each call.
struct DriverOutputs {
  std::vector<DriverEvent> events;
  std::vector<LogEvent> log;
};

class Driver {
 public:
  virtual ~Driver() = default;
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // Appends the descriptors to wait for. May differ at each call. The driver owns them.
  virtual void poll_fds(std::vector<pollfd>& fds) const = 0;
  // The earliest time at which service() must be called though no descriptor is ready; kNever when none.
  virtual Instant next_deadline() const noexcept = 0;
  // Reads and dispatches what is ready. To be called whenever one of its descriptors is ready or the deadline is due.
  virtual void service(Instant now, DriverOutputs& out) = 0;

  // Sends one protocol round trip; its answer is ProbeAnswered. The agent never starts a second one before the answer.
  virtual void start_probe(Instant now, DriverOutputs& out) = 0;
  // Asks the kernel why a probe is late: reads /proc/PID/stat once and answers at once with CauseSeen.
  virtual void look_at_process(DriverOutputs& out) = 0;
  // Counts the programs that are connected, at once or with a later service(). The answer is ClientsSeen; none while it is what it
  // was, or nobody has answered yet.
  virtual void count_clients(Instant now, DriverOutputs& out) = 0;

  // Begins a command; ends with exactly one CommandFinished by `deadline`, at the latest with kDeadline. What it gives
  // besides comes before that, as CommandPart.
  // Params are as in schemas/messages/command-*.json. A method that isn't supported ends at once with kUnsupported.
  virtual void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
                       Instant deadline, DriverOutputs& out) = 0;
};

}  // namespace compositord::agent
