#pragma once
// What a driver says of its compositor: plain data, and the input of the agent's core.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/error_code.h"
#include "common/base/instant.h"
#include "common/msg/manifest.h"
#include "common/msg/status.h"

namespace compositord::agent {

// How a compositor's process ended. Neither code nor signal: it ended and nobody told us how.
struct ProcessEnd {
  std::optional<int> code;
  std::optional<int> signal;
};

namespace driver_event {

// The first full description, and every later change of it. Up means: the socket accepts AND a round trip was answered.
struct Described {
  msg::Manifest manifest;
};
// The state of every output that is or was there since this driver began ("disconnected" when it vanished).
struct OutputsChanged {
  std::vector<std::pair<std::string, msg::OutputState>> outputs;
};
// The answer to start_probe(). There is at most one outstanding probe.
struct ProbeAnswered {};
// What the kernel says of the process while a probe is late: "stopped", "spinning", "waiting for I/O", or empty.
struct CauseSeen {
  bool stopped = false;
  std::string cause;
};
// What the compositor's process uses: its resident memory, and the processor time of all its threads since it began.
struct UsageSeen {
  std::uint64_t rss_bytes = 0;
  Duration cpu_time{};
};
// How many programs are connected to it, the agent left out; none: that can't be told.
struct ClientsSeen {
  std::optional<std::uint64_t> clients;
};
// What a probe of the frames found, at first and when it has changed: empty, or the sentence that it answers and draws none.
struct FramesSeen {
  std::string trouble;
};
// The compositor is gone: its process ended, or its connection closed while the process is unknown to us. The last event
// of a driver.
struct Gone {
  ProcessEnd end;
  std::string text;            // "killed by signal 9 (SIGKILL)", "closed its Wayland socket"
  bool as_when_asked = false;  // this compositor is known to end like this when it gets SIGTERM
  std::string told_by{};       // who said how, when neither the kernel nor its parent did: "systemd, of weston.service"
};
// A command ended. `status` kDone or an error; `result` holds "before" and "after" where the command changed something.
struct CommandFinished {
  std::uint64_t command_id = 0;
  Status status = Status::kDone;
  std::string error;  // a sentence when status is no success
  msg::Value result;
};

// A part of what a command gives, before its CommandFinished: bytes that follow those of the parts before.
struct CommandPart {
  std::uint64_t command_id = 0;
  std::string bytes;  // at most kCommandPartBytesMax
};

}  // namespace driver_event

// Far below the broker's bytes_per_frame_max, also in base64; and each part is a sign of life for the broker, so a slow link must
// bring one well within the liveness while heartbeats wait behind the others.
inline constexpr std::size_t kCommandPartBytesMax = 256U << 10U;

using DriverEvent =
    std::variant<driver_event::Described, driver_event::OutputsChanged, driver_event::ProbeAnswered,
                 driver_event::CauseSeen, driver_event::UsageSeen, driver_event::ClientsSeen, driver_event::FramesSeen,
                 driver_event::Gone, driver_event::CommandFinished, driver_event::CommandPart>;

}  // namespace compositord::agent
