#pragma once
// Everything that can happen to the agent's core.

#include <cstdint>
#include <string>
#include <variant>

#include "agent/driver_event.h"
#include "common/base/instant.h"
#include "common/wire/frames.h"

namespace compositord::agent {

namespace input {

// The bus socket's connection, as its monitor tells.
struct BusConnected {};
struct BusDisconnected {};
// One whole message from the bus.
struct Received {
  wire::Frames frames;
};
// A message that broke a size limit; its bytes are gone.
struct TooLarge {};
// A display accepted a connection and a driver was made for it; it has not described its compositor yet.
struct DriverStarted {};
// From the driver. After Gone the loop throws it away and looks for the display anew.
struct FromDriver {
  DriverEvent event;
};
// How a process ended whose Gone did not say so: somebody was slower to tell.
struct EndTold {
  driver_event::Gone gone;
};
// What the calendar says, as an offset to the monotonic clock.
struct CalendarSet {
  std::int64_t unix_ms_at_origin = 0;
};
// The loop was late by this much: nobody else was silent or slow.
struct Stalled {
  Duration lateness{};
};
// Of the compositor that the agent starts itself, after Outputs::start_child: exactly one of the first two. What it printed
// comes before its end.
struct ChildStarted {
  std::int64_t pid = 0;
};
struct ChildStartFailed {
  std::string why;
};
struct ChildPrinted {
  std::string bytes;
};
struct ChildEnded {
  ProcessEnd end;
  std::string text;  // "killed by signal 9 (SIGKILL)"
};
// Somebody asked the agent to end.
struct Stop {};
struct Tick {};

}  // namespace input

using Input =
    std::variant<input::BusConnected, input::BusDisconnected, input::Received, input::TooLarge, input::DriverStarted,
                 input::FromDriver, input::EndTold, input::CalendarSet, input::Stalled, input::ChildStarted,
                 input::ChildStartFailed, input::ChildPrinted, input::ChildEnded, input::Stop, input::Tick>;

}  // namespace compositord::agent
