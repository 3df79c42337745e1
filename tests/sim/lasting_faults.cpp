#include "tests/sim/lasting_faults.h"

#include <array>

namespace compositord::sim {

namespace {

void start_agent(SimAgent& agent) { agent.start(); }
void start_compositor(SimAgent& agent) { agent.compositor().start(); }
void thaw_compositor(SimAgent& agent) { agent.compositor().thaw(); }
void set_output(SimAgent& agent, std::size_t number, msg::OutputState state) {
  agent.compositor().set_output(number, state);
}

constexpr std::array<LastingFault, 11> kFaults{{
    {"agent", "agent killed", [](SimAgent& agent, Duration) { agent.kill(); }, start_agent},
    {"agent", "agent stopped on purpose", [](SimAgent& agent, Duration) { agent.ask_to_stop(); }, start_agent},
    {"agent", "host without power", [](SimAgent& agent, Duration) { agent.vanish(); },
     [](SimAgent& agent) { start_compositor(agent), start_agent(agent); }},
    {"agent", "host without network", [](SimAgent& agent, Duration) { agent.link().set_partitioned(true); },
     [](SimAgent& agent) { agent.link().set_partitioned(false); }},
    {"agent", "agent hangs", [](SimAgent& agent, Duration lasts) { agent.pause(lasts); }, [](SimAgent&) {}},
    {"compositor", "compositor killed", [](SimAgent& agent, Duration) { agent.compositor().kill(); }, start_compositor},
    {"compositor", "compositor exits", [](SimAgent& agent, Duration) { agent.compositor().exit(3); }, start_compositor},
    {"compositor", "compositor stopped", [](SimAgent& agent, Duration) { agent.compositor().freeze(true); },
     thaw_compositor},
    {"compositor", "compositor hangs", [](SimAgent& agent, Duration) { agent.compositor().freeze(false); },
     thaw_compositor},
    {"output/DP-1", "output off", [](SimAgent& agent, Duration) { set_output(agent, 0, msg::OutputState::kOff); },
     [](SimAgent& agent) { set_output(agent, 0, msg::OutputState::kOn); }},
    {"output/DP-2", "cable out",
     [](SimAgent& agent, Duration) { set_output(agent, 1, msg::OutputState::kDisconnected); },
     [](SimAgent& agent) { set_output(agent, 1, msg::OutputState::kOn); }},
}};

}  // namespace

std::span<const LastingFault> lasting_faults() noexcept { return kFaults; }

}  // namespace compositord::sim
