#pragma once
// A Wayland display that accepted our connection: what a driver is made from.

#include <string>

#include "agent/process/file_descriptor.h"
#include "common/base/result.h"

namespace compositord::agent {

struct ConnectedDisplay {
  FileDescriptor socket;    // connected, non-blocking
  std::string name;         // "wayland-1": the file's name, also for a display given by its path
  std::string socket_path;  // "/run/user/1000/wayland-1"
};

// Connects to a Unix stream socket without ever waiting. A path that begins with '@' is the name of an abstract one.
// Errors: kNotFound when there is no such file, kConflict when the file is there and nobody listens (stale), kLimit when
// the listener's backlog is full (a frozen compositor), kForbidden, kMalformed for an over-long path, kFailed otherwise.
Result<FileDescriptor> connect_unix(const std::string& path);

}  // namespace compositord::agent
