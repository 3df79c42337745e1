#pragma once
// Majordomo as values: what a message of MDP 0.1 (7/MDP) or MDP 0.2 (18/MDP) says, without its bytes.
// Sources: rfc.zeromq.org/spec/7, rfc.zeromq.org/spec/18. The frame tables stand in mdp_codec.h.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "common/wire/frames.h"

namespace compositord::wire {

enum class MdpVersion : std::uint8_t { k01, k02 };

// How a peer writes, so that it can be answered in kind. 0.1 peers are REQ or DEALER sockets with an empty delimiter frame
// in front; 0.2 has none, but many clients in the field send one all the same.
struct Dialect {
  MdpVersion version = MdpVersion::k02;
  bool delimiter = false;
  friend bool operator==(const Dialect&, const Dialect&) = default;
};

namespace mdp {

struct ClientRequest {  // client -> broker
  std::string service;
  Frames body;
};
struct ClientReply {  // broker -> client
  bool final = true;  // 0.1 has only final ones
  std::string service;
  Frames body;
};
struct WorkerReady {  // worker -> broker
  std::string service;
};
struct WorkerRequest {         // broker -> worker
  std::string client_address;  // opaque to the worker, which sends it back
  Frames body;
};
struct WorkerReply {  // worker -> broker
  bool final = true;
  std::string client_address;
  Frames body;
};
struct Heartbeat {};
struct Disconnect {};

}  // namespace mdp

// What a broker can receive, and what peers of a broker can receive.
using ToBroker = std::variant<mdp::ClientRequest, mdp::WorkerReady, mdp::WorkerReply, mdp::Heartbeat, mdp::Disconnect>;
using FromBroker = std::variant<mdp::ClientReply, mdp::WorkerRequest, mdp::Heartbeat, mdp::Disconnect>;

// "READY", "REQUEST", … as logs, counters and golden files name them.
std::string_view command_name(const ToBroker& message) noexcept;
std::string_view command_name(const FromBroker& message) noexcept;

}  // namespace compositord::wire
