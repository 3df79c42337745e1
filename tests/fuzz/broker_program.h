#pragma once
// A program of inputs for one BrokerCore: four peers, their messages, and everything else that can happen to a broker.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "broker/core/broker_core.h"
#include "tests/fuzz/byte_source.h"

namespace compositord::fuzz {

class BrokerProgram {
 public:
  // `start` (any byte) chooses the state to begin in (the table stands in the source), and whether the broker is stopped at the end.
  explicit BrokerProgram(std::uint8_t start);
  void run(ByteSource& in);

 private:
  void step(broker::Input input);
  void receive(std::size_t peer, wire::Frames frames);
  void check_outputs();
  void stop();
  void check_everything_ends();
  void one_input(ByteSource& in);
  wire::Frames message(ByteSource& in);
  wire::Frames body(ByteSource& in);

  // Ways to the start states.
  void enter(int state);
  void register_agent(std::size_t peer, const std::string& id);
  void ready(std::size_t peer, const std::string& service);
  void report(std::size_t peer);
  void request(std::size_t peer, const std::string& service);

  std::array<wire::RoutingId, 4> peers_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  broker::BrokerCore core_;
  bool is_stopped_at_the_end_;  // when the program is over, and before everything ends
  broker::Outputs out_;
  std::vector<broker::Send> sent_;  // the last ones, any of which may still fail; without their frames
  std::vector<std::uint64_t> commits_;
};

}  // namespace compositord::fuzz
