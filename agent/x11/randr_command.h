#pragma once
// The commands that change an output of an X screen: what RandR has to be told for them. Pure functions; who sends and waits
// is RandrCommandRunner.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/output/output_request.h"
#include "agent/x11/screen_outputs.h"
#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::agent::x11 {

// What an X server can be told, and why not the others, a sentence each. `screen`: what was read of it last.
std::vector<msg::CommandSupport> randr_commands(bool has_randr, const ScreenOutputs& screen);

// As every driver takes them, within what an X screen can be told. Errors: kNotFound, kMalformed, kUnsupported.
Result<OutputRequest> parse_randr_request(const std::string& method, const msg::Value& params);

// Where an output was, for when it is enabled again.
struct OutputPlace {
  xcb_randr_mode_t mode = XCB_NONE;
  std::int32_t x = 0;
  std::int32_t y = 0;
  std::uint16_t rotation = XCB_RANDR_ROTATION_ROTATE_0;
};

// What RandR is to be told.
struct RandrChange {
  // A mode that the output does not have: to be made, where `mode` is none, and added to it. The rest is planned anew
  // with it.
  struct NewMode {
    xcb_randr_output_t output = XCB_NONE;
    xcb_randr_mode_t mode = XCB_NONE;
    xcb_randr_mode_info_t info{};
    std::string name;
  };
  std::optional<NewMode> new_mode;
  // The CRTC as it shall be; mode none turns it off.
  ScreenCrtc crtc;
  // The screen's size while it changes, which holds what was and what will be, and afterwards.
  std::uint32_t width_px_during = 0;
  std::uint32_t height_px_during = 0;
  std::uint32_t width_px_after = 0;
  std::uint32_t height_px_after = 0;
};

// The output it is for. Errors: kNotFound, naming the outputs that are there.
Result<const ScreenOutput*> find_output(const OutputCommand& command, const ScreenOutputs& screen);
// Errors: kNotFound for a mode that a monitor does not have, kUnsupported beyond the server's limits and for a turn that its
// driver can't do, kFailed when there is nothing to do it with. `place`: where the output was before it was disabled, if we
// know.
Result<RandrChange> plan_change(const OutputCommand& command, const ScreenOutputs& screen,
                                const std::optional<OutputPlace>& place);
bool shows(const OutputCommand& command, const ScreenOutput& output);
bool shows(const OutputRequest& request, const ScreenOutputs& screen);

}  // namespace compositord::agent::x11
