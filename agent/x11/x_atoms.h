#pragma once
// The names that we ask an X server about, as the numbers it gives them.

#include <xcb/xcb.h>

#include "agent/x11/x_connection.h"

namespace compositord::agent::x11 {

struct XAtoms {
  xcb_atom_t compositing_manager = XCB_ATOM_NONE;  // _NET_WM_CM_S0: its owner composites the screen
  xcb_atom_t window_manager = XCB_ATOM_NONE;       // WM_S0: its owner manages the screen's windows
  xcb_atom_t supporting_wm_check = XCB_ATOM_NONE;
  xcb_atom_t net_wm_name = XCB_ATOM_NONE;
  xcb_atom_t compton_version = XCB_ATOM_NONE;  // picom's, from the time when it was called compton
  xcb_atom_t request_frame_extents = XCB_ATOM_NONE;
  xcb_atom_t frame_extents = XCB_ATOM_NONE;
  xcb_atom_t edid = XCB_ATOM_NONE;
  xcb_atom_t openbox_control = XCB_ATOM_NONE;
  xcb_atom_t openbox_theme = XCB_ATOM_NONE;
  xcb_atom_t net_supported = XCB_ATOM_NONE;
  xcb_atom_t net_client_list = XCB_ATOM_NONE;
  xcb_atom_t net_active_window = XCB_ATOM_NONE;
  xcb_atom_t net_wm_state = XCB_ATOM_NONE;
  xcb_atom_t net_wm_state_fullscreen = XCB_ATOM_NONE;
  xcb_atom_t net_wm_state_hidden = XCB_ATOM_NONE;
  xcb_atom_t net_wm_state_maximized_horz = XCB_ATOM_NONE;
  xcb_atom_t net_wm_state_maximized_vert = XCB_ATOM_NONE;
};

// Asks for all of them; `atoms` is complete when a later request has been answered, and must live until then.
void ask_atoms(XConnection& connection, XAtoms& atoms);

}  // namespace compositord::agent::x11
