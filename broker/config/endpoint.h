#pragma once
// What the broker may bind. Source: zmq_tcp(7), zmq_ipc(7).

#include <cstddef>
#include <string>
#include <string_view>

namespace compositord::broker {

// sun_path has 108 bytes and keeps one for its end. Source: unix(7).
inline constexpr std::size_t kIpcPathBytesMax = 107;

// What is wrong with it as an endpoint to bind, a sentence; empty when nothing is.
std::string endpoint_fault(std::string_view endpoint);

}  // namespace compositord::broker
