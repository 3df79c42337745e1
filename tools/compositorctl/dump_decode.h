#pragma once
// What one message on the bus says, as far as it can be told from its frames: Majordomo of both versions, calls of this bus, and
// whatever strangers put into their bodies. Nothing is refused: what can't be read is kept as the bytes that it is.

#include <cstdint>
#include <string>
#include <vector>

#include "common/msg/value.h"
#include "common/wire/frames.h"

namespace compositord::ctl {

enum class Direction : std::uint8_t { kToBroker, kFromBroker };

// A frame, or a part of one, as what it was taken for.
struct BodyPart {
  enum class Kind : std::uint8_t { kMsgpack, kJson, kText, kBytes };
  std::string name;       // "header", "params", "result"; empty for others
  std::size_t frame = 0;  // its place in the body
  Kind kind = Kind::kBytes;
  msg::Value value;   // kMsgpack, kJson
  std::string bytes;  // kText, kBytes
  // kBytes: why it isn't the MessagePack that it looks like; a sentence with a stranger's words in it.
  std::string fault;
};

struct DecodedMessage {
  // Why this is no message of Majordomo, a sentence; then only `frames` is filled.
  std::string fault;
  wire::Frames frames;

  std::string version;  // "0.1", "0.2"
  bool worker = false;  // between worker and broker; else between client and broker
  std::string command;  // READY, REQUEST, PARTIAL, FINAL, HEARTBEAT, DISCONNECT
  wire::Frame service;
  wire::Frame address;  // of the client, in what goes to and comes from workers
  std::vector<BodyPart> body;
};

DecodedMessage decode_message(Direction direction, const wire::Frames& frames);

// Whether it can be shown as it is: UTF-8 without control characters.
bool is_printable(std::string_view bytes);

}  // namespace compositord::ctl
