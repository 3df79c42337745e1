#pragma once
// What can be wrong at one place for some time, and which alert tells of it.

#include <span>

#include "common/base/instant.h"
#include "tests/sim/sim_agent.h"

namespace compositord::sim {

struct LastingFault {
  const char* about;  // of the alert
  const char* what;   // for a reader
  void (*begin)(SimAgent& agent, Duration lasts);
  void (*end)(SimAgent& agent);
};

std::span<const LastingFault> lasting_faults() noexcept;

}  // namespace compositord::sim
