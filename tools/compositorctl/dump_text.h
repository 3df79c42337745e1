#pragma once
// Messages of the bus as lines for people who debug it, or as JSON. Which ones are wanted is decided here, too.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/wire/frames.h"
#include "tools/compositorctl/dump_decode.h"

namespace compositord::ctl {

// One message as it passed.
struct SeenMessage {
  std::int64_t unix_us = 0;
  wire::RoutingId peer;
  Direction direction = Direction::kToBroker;
  bool too_large = false;  // its frames were not kept
  wire::Frames frames;
};

struct DumpOptions {
  bool json = false;
  bool full = false;         // nothing is shortened
  bool routing_ids = false;  // in front of a peer's first message: the name by which the broker's log knows it
  // All that are given must fit; of several commands or peers, one.
  std::string service_glob;  // * and ?; empty: every message
  std::vector<std::string> commands;
  std::vector<std::string> peers;  // "p3", or a routing id in hexadecimal
  bool no_heartbeats = false;
};

// Remembers which peer is which, and which service a worker said READY for.
class Dump {
 public:
  explicit Dump(DumpOptions options) : options_(std::move(options)) {}

  // What is to be printed for a message, with its last newline; nothing when it isn't wanted. Safe for terminals.
  std::optional<std::string> lines_of(const SeenMessage& message);
  // "p1", "p2", …: by the order in which they were first seen.
  std::string name_of(const wire::RoutingId& peer);

 private:
  void fill_in_service(const std::string& peer, DecodedMessage& message);
  bool is_wanted(const std::string& peer, const SeenMessage& seen, const DecodedMessage& message) const;

  DumpOptions options_;
  std::map<wire::RoutingId, std::string> names_;
  std::map<std::string, wire::Frame> services_;  // of workers, by the peer's name
  std::set<std::string> introduced_;             // whose routing id was told
  std::uint64_t peers_seen_ = 0;
};

// "00 ff 10"; `bytes_max` bytes at most, and then "…".
std::string hex_text(std::string_view bytes, std::size_t bytes_max);

}  // namespace compositord::ctl
