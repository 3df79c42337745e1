// Frames -> codec -> the cores. The first byte chooses a core and a legal state to begin in, the rest is a program of inputs;
// after each one the invariants hold, and what the core says can be read by its peers.

#include "tests/fuzz/agent_program.h"
#include "tests/fuzz/broker_program.h"
#include "tests/fuzz/byte_source.h"
#include "tests/fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace compositord::fuzz;
  ByteSource in(data, size);
  const std::uint8_t start = in.u8();
  if (start < 128) {
    BrokerProgram(start).run(in);
  } else {
    AgentProgram(start).run(in);
  }
  return 0;
}
