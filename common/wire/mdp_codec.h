#pragma once
// MDP 0.1 and 0.2: frames <-> values. Peer bytes become a value or an Error here and nowhere else.
//
// The frames, after the routing id that a ROUTER puts in front (which no function here sees):
//
//   | command              | 0.1 (7/MDP): "" first, then          | 0.2 (18/MDP)                             |
//   |----------------------|--------------------------------------|------------------------------------------|
//   | client REQUEST       | "MDPC01" service body…               | "MDPC02" 01 service body…                |
//   | client PARTIAL       | –                                    | "MDPC02" 02 service body…                |
//   | client FINAL (reply) | "MDPC01" service body…               | "MDPC02" 03 service body…                |
//   | worker READY         | "MDPW01" 01 service                  | "MDPW02" 01 service                      |
//   | worker REQUEST       | "MDPW01" 02 address "" body…         | "MDPW02" 02 address "" body…             |
//   | worker PARTIAL       | –                                    | "MDPW02" 03 address "" body…             |
//   | worker FINAL (reply) | "MDPW01" 03 address "" body…         | "MDPW02" 04 address "" body…             |
//   | worker HEARTBEAT     | "MDPW01" 04                          | "MDPW02" 05                              |
//   | worker DISCONNECT    | "MDPW01" 05                          | "MDPW02" 06                              |
//
// DEVIATION: an empty frame in front is accepted with 0.2 and its absence with 0.1 ("be liberal"); the Dialect remembers
// it and the answer has the same form. Tests: MdpCodec.AcceptsAnEmptyDelimiterWith02, MdpCodec.AcceptsNoDelimiterWith01.
// An address of several frames (an "envelope stack") isn't used on this bus; one frame is written and expected.

#include "common/base/result.h"
#include "common/wire/frames.h"
#include "common/wire/mdp.h"

namespace compositord::wire {

inline constexpr std::size_t kServiceNameBytesMax = 255;  // a service name is an index key; longer ones are refused

template <class Message>
struct Parsed {
  Dialect dialect;
  Message message;
};

// Errors: kMalformed, a sentence that says which frame is wrong; kTooLarge for a service name over its maximum.
// Consumes the frames: bodies are moved out of them, not copied.
Result<Parsed<ToBroker>> parse_at_broker(Frames&& frames);
Result<Parsed<FromBroker>> parse_from_broker(Frames&& frames);

Frames serialize(const Dialect& dialect, mdp::ClientRequest message);
Frames serialize(const Dialect& dialect, mdp::ClientReply message);  // 0.1: `final` must be true
Frames serialize(const Dialect& dialect, mdp::WorkerReady message);
Frames serialize(const Dialect& dialect, mdp::WorkerRequest message);
Frames serialize(const Dialect& dialect, mdp::WorkerReply message);  // 0.1: `final` must be true
Frames serialize(const Dialect& dialect, mdp::Heartbeat message);
Frames serialize(const Dialect& dialect, mdp::Disconnect message);

}  // namespace compositord::wire
