#pragma once
// What a broker says, as lines that a person can read and a golden file can keep.

#include <string>

#include "broker/core/outputs.h"

namespace compositord::testing {

// "client-1 < FINAL echo "hi"", "agent-1 < FINAL bus.agent 200 #1 {…}", "worker-1 < REQUEST [1] "hi"".
// The peer's name is its routing id.
std::string text_of(const broker::Send& send);
// "publish status/wall/w1 seq=3 ok link=connected process=running progress=ok".
std::string text_of(const wire::Frames& published);
// "store 1 wall/w1 revision=1 manifest=103 bytes".
std::string text_of(const broker::StoreWrite& write);
// Frames as they are: printable text in quotes, anything else as hex digits, long ones by their length.
std::string text_of_frames(const wire::Frames& frames);

// The command of a send ("HEARTBEAT", "FINAL", …), or "?" when it is no MDP.
std::string command_of(const broker::Send& send);

}  // namespace compositord::testing
