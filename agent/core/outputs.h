#pragma once
// Everything the agent's core wants done, in this order: a new bus socket, sends, what the driver must do, log.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/supervisor.h"
#include "common/base/instant.h"
#include "common/base/log_event.h"
#include "common/msg/value.h"
#include "common/wire/frames.h"

namespace compositord::agent {

struct Execute {
  std::uint64_t command_id = 0;
  std::string method;
  msg::Value params;
  Instant deadline;
};

struct Outputs {
  bool new_socket = false;  // close the bus socket and connect a new one: after DISCONNECT the old one may not be used
  std::vector<wire::Frames> sends;
  bool start_probe = false;
  bool look_at_process = false;
  bool look_at_usage = false;  // of the process, and count its clients
  std::vector<Execute> executes;
  bool start_child = false;
  std::optional<ChildSignal> signal_child;
  bool finished = false;  // the agent has said goodbye and may end
  std::vector<LogEvent> log;

  void clear() { *this = {}; }
};

}  // namespace compositord::agent
