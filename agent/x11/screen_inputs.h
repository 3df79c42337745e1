#pragma once
// The input devices of an X server, as XInput 2 tells them. Source: the X Input Extension's XI2proto.txt, XIQueryDevice and
// XI_HierarchyChanged.

#include <xcb/xinput.h>

#include <functional>
#include <optional>
#include <vector>

#include "agent/x11/x_connection.h"
#include "common/msg/manifest.h"

namespace compositord::agent::x11 {

inline constexpr std::size_t kScreenInputsMax = 256;

// Asks to be told of devices that come, go, and change their use.
void listen_to_inputs(XConnection& connection);
// Whether an event tells of one.
bool is_input_change(const xcb_generic_event_t& event, std::uint8_t xinput_opcode);

// Reads them all and calls `done` once; with none when the server does not answer. Masters are "pointer" and "keyboard"; what
// drives them is "slave-pointer" and "slave-keyboard", and "floating" what drives none.
void read_screen_inputs(XConnection& connection,
                        std::function<void(std::optional<std::vector<msg::InputDevice>>)> done);

}  // namespace compositord::agent::x11
