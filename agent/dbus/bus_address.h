#pragma once
// Which D-Bus session bus a compositor is on: what its own environment says, else what ours says. And the system's bus.

#include <string>
#include <string_view>

#include "agent/process/peer.h"
#include "common/base/result.h"

namespace compositord::agent::dbus {

struct BusAddress {
  std::string text;         // one D-Bus address as it was written: "unix:path=/run/user/1000/bus"
  std::string socket_path;  // as connect_unix() takes it: "/run/user/1000/bus", "@name" for an abstract one
};

// The first address of a list (parts with ';' between them) that is a Unix socket. All other transports are refused:
// "unixexec:" runs a program and "tcp:" leaves the machine, at the wish of another process's environment.
// Errors: kUnsupported. Source: D-Bus specification, "Server Addresses".
Result<BusAddress> parse_bus_address(std::string_view list);

// In an environment as /proc/PID/environ has it, NUL after each variable: DBUS_SESSION_BUS_ADDRESS, else the socket "bus" in
// XDG_RUNTIME_DIR. Errors: kNotFound without either, else as above.
Result<BusAddress> bus_address_in(std::string_view environment);

// The same of the system bus: DBUS_SYSTEM_BUS_ADDRESS, else where every system has it. Errors: kUnsupported.
Result<BusAddress> system_bus_address_in(std::string_view environment);

// The part of our own environment that these look at.
std::string own_bus_environment();

// What the compositor's environment says when we may read it, else what `own_environment` says. Reads /proc, which can take
// its time while that process is stuck in the kernel: not for the loop.
Result<BusAddress> find_session_bus(const Peer& compositor, const std::string& own_environment);

}  // namespace compositord::agent::dbus
