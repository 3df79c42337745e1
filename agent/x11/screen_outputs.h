#pragma once
// The outputs of an X screen, as RandR tells them, in the bus's words.

#include <xcb/randr.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/x11/x_connection.h"
#include "common/msg/manifest.h"

namespace compositord::agent::x11 {

struct ScreenCrtc {
  xcb_randr_crtc_t id = XCB_NONE;
  std::int32_t x = 0;
  std::int32_t y = 0;
  std::uint32_t width_px = 0;  // as it covers the screen: turned with its rotation
  std::uint32_t height_px = 0;
  xcb_randr_mode_t mode = XCB_NONE;
  std::uint16_t rotation = XCB_RANDR_ROTATION_ROTATE_0;
  std::uint16_t rotations = XCB_RANDR_ROTATION_ROTATE_0;  // all that it can do, turns and reflections
  std::vector<xcb_randr_output_t> outputs;                // that it drives now
};

struct ScreenOutput {
  xcb_randr_output_t id = XCB_NONE;
  msg::Output output;
  std::vector<xcb_randr_mode_t> mode_ids;  // of output.modes, in the same order
  bool is_connected = false;
  bool has_edid = false;  // a monitor described itself
  xcb_randr_crtc_t crtc = XCB_NONE;
  std::vector<xcb_randr_crtc_t> possible_crtcs;
};

struct ScreenOutputs {
  xcb_timestamp_t config_time = 0;
  std::uint32_t width_px = 0;  // of the whole screen
  std::uint32_t height_px = 0;
  std::uint32_t width_px_max = 0;
  std::uint32_t height_px_max = 0;
  std::vector<ScreenOutput> outputs;
  std::vector<ScreenCrtc> crtcs;
  // Modes that no output needs to have.
  struct NamedMode {
    xcb_randr_mode_t id = XCB_NONE;
    msg::Mode mode;
  };
  std::vector<NamedMode> modes;

  const ScreenOutput* find(const std::string& name) const;
  const ScreenCrtc* crtc(xcb_randr_crtc_t id) const;
  const msg::Mode* mode(xcb_randr_mode_t id) const;
};

inline constexpr std::size_t kScreenOutputsMax = 64;

// Reads it all and calls `done` once; with none when the server does not answer as RandR 1.3 does.
void read_screen_outputs(XConnection& connection, xcb_atom_t edid,
                         std::function<void(std::optional<ScreenOutputs>)> done);

// Hertz times 1000, rounded; 0 when the mode doesn't say.
std::uint32_t refresh_mhz(const xcb_randr_mode_info_t& mode);
// RandR turns counter-clockwise, as wl_output does. Source: randrproto.txt, "ROTATION"; a reflection comes before the turn.
msg::Transform transform_of(std::uint16_t rotation);
std::uint16_t rotation_of(msg::Transform transform);

}  // namespace compositord::agent::x11
