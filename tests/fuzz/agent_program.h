#pragma once
// A program of inputs for one AgentCore: what a broker, right or wrong, a compositor and the clock can do to it.

#include <cstdint>
#include <vector>

#include "agent/core/agent_core.h"
#include "tests/fuzz/byte_source.h"

namespace compositord::fuzz {

class AgentProgram {
 public:
  explicit AgentProgram(std::uint8_t start);
  void run(ByteSource& in);

 private:
  void step(agent::Input input);
  void one_input(ByteSource& in);
  void from_compositor(ByteSource& in);
  void answer_register();
  void request(const std::string& method);
  wire::Frames message(ByteSource& in);

  Instant now_ = Instant::from_ns(1'000'000'000);
  agent::AgentCore core_;
  agent::Outputs out_;
  std::int64_t session_ = 0;  // counts connections, as the core does in its call ids
  std::vector<std::uint64_t> commands_;
};

}  // namespace compositord::fuzz
