#pragma once
// What the agent's core may be told.

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "agent/core/supervisor.h"
#include "common/base/instant.h"
#include "common/msg/compositor_id.h"
#include "common/msg/registration.h"

namespace compositord::agent {

struct HealthConfig {
  Duration probe_interval = std::chrono::seconds(1);
  // Ages of an unanswered probe. A freeze begins at the latest one interval before a probe is sent, so these are the promises
  // (suspect 3 s, frozen 5 s) less the interval, less 100 ms for the word's way to a subscriber and for a busy machine.
  Duration slow_after = std::chrono::milliseconds(300);
  Duration suspect_after = std::chrono::milliseconds(1900);
  Duration frozen_after = std::chrono::milliseconds(3900);
};

struct AgentConfig {
  msg::CompositorId id;
  std::map<std::string, std::string> labels;
  msg::Software software;
  std::optional<Duration> heartbeat_interval;  // wanted; the broker's default otherwise
  std::optional<int> liveness;
  HealthConfig health;
  // How long the first report waits for the compositor to be found and to answer.
  Duration first_look = std::chrono::seconds(1);
  Duration status_refresh = std::chrono::seconds(10);
  Duration reply_timeout = std::chrono::seconds(5);  // of our own requests to the bus
  Duration store_retry = std::chrono::seconds(30);   // of a manifest that the broker could not store
  Duration backoff_min = std::chrono::milliseconds(100);
  Duration backoff_max = std::chrono::seconds(5);
  Duration backoff_reset_after = std::chrono::seconds(10);  // a session that lasted so long was a good one
  Duration default_deadline = std::chrono::seconds(10);     // of a command that names none
  Duration deadline_max = std::chrono::hours(1);            // the broker gives up no later than that
  Duration leave_timeout = std::chrono::milliseconds(500);
  std::size_t commands_max = 64;               // at once
  std::optional<SupervisorConfig> supervisor;  // none: somebody else starts the compositor
  bool may_launch = false;                     // programs; which ones, the launcher knows
  bool compositor_lives_on = false;            // when the agent ends; with a supervisor
};

}  // namespace compositord::agent
