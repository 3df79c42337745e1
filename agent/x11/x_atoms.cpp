#include "agent/x11/x_atoms.h"

#include <array>
#include <string_view>
#include <utility>

namespace compositord::agent::x11 {

void ask_atoms(XConnection& connection, XAtoms& atoms) {
  // Source: EWMH 1.5 and ICCCM 2.8. Screen 0: with RandR there is no other.
  const std::array<std::pair<std::string_view, xcb_atom_t*>, 18> names{
      {{"_NET_WM_CM_S0", &atoms.compositing_manager},
       {"WM_S0", &atoms.window_manager},
       {"_NET_SUPPORTING_WM_CHECK", &atoms.supporting_wm_check},
       {"_NET_WM_NAME", &atoms.net_wm_name},
       {"COMPTON_VERSION", &atoms.compton_version},
       {"_NET_REQUEST_FRAME_EXTENTS", &atoms.request_frame_extents},
       {"_NET_FRAME_EXTENTS", &atoms.frame_extents},
       {"EDID", &atoms.edid},
       {"_OB_CONTROL", &atoms.openbox_control},
       {"_OB_THEME", &atoms.openbox_theme},
       {"_NET_SUPPORTED", &atoms.net_supported},
       {"_NET_CLIENT_LIST", &atoms.net_client_list},
       {"_NET_ACTIVE_WINDOW", &atoms.net_active_window},
       {"_NET_WM_STATE", &atoms.net_wm_state},
       {"_NET_WM_STATE_FULLSCREEN", &atoms.net_wm_state_fullscreen},
       {"_NET_WM_STATE_HIDDEN", &atoms.net_wm_state_hidden},
       {"_NET_WM_STATE_MAXIMIZED_HORZ", &atoms.net_wm_state_maximized_horz},
       {"_NET_WM_STATE_MAXIMIZED_VERT", &atoms.net_wm_state_maximized_vert}}};
  for (const auto& [name, atom] : names) {
    const auto cookie = xcb_intern_atom(connection.xcb(), 0, static_cast<std::uint16_t>(name.size()), name.data());
    connection.expect(cookie, [atom = atom](const void* reply) {
      if (reply != nullptr) *atom = static_cast<const xcb_intern_atom_reply_t*>(reply)->atom;
    });
  }
}

}  // namespace compositord::agent::x11
