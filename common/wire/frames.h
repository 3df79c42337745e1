#pragma once
// A ZeroMQ message as the cores see it: its frames, as bytes. No sockets here.

#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "common/base/strong_type.h"

namespace compositord::wire {

using Frame = std::string;
using Frames = std::vector<Frame>;

// The address that a ROUTER socket gives to a connection. Opaque bytes, new for each connection.
using RoutingId = StrongType<std::string, struct RoutingIdTag>;

inline std::size_t total_bytes(const Frames& frames) {
  return std::accumulate(frames.begin(), frames.end(), std::size_t{0},
                         [](std::size_t sum, const Frame& f) { return sum + f.size(); });
}

}  // namespace compositord::wire
