#pragma once
// How a log event is written in each place. Pure: no clock, no file.

#include <string>
#include <string_view>

#include "common/base/log_event.h"

namespace compositord::log {

// For the status log, journald and syslog: to_text(), but a verdict that changed is
//
//   COMPOSITE_OK wall-3/wayland-1
//   COMPOSITE_ERROR wall-3/wayland-1 process the compositor was killed by signal 9 (SIGKILL)
//
// so that a grep for one word and an id tells how a screen does.
std::string status_text(const LogEvent& event);

// The members of a JSON object, without its braces: "event":"agent.lost","id":"wall-3/wayland-1". A verdict that changed has
// "summary":"COMPOSITE_ERROR" as well. Bytes that are no UTF-8 are written as U+FFFD.
std::string json_members(const LogEvent& event);

// A datagram of journald's own protocol: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, COMPOSITORD_EVENT, and each field of the event as
// COMPOSITORD_<NAME>. Source: systemd, "Native Journal Protocol".
std::string journal_datagram(std::string_view program, const LogEvent& event);

// "<28>compositord[17]: text", facility daemon. Without a time: the receiver has the same clock. Source: RFC 3164, section 4.
std::string syslog_datagram(std::string_view program, int pid, const LogEvent& event);

}  // namespace compositord::log
