#pragma once
// Who composites an X screen and who manages its windows, as the windows that they left there tell.

#include <sys/types.h>
#include <xcb/xcb.h>

#include <functional>
#include <string>

#include "agent/x11/x_atoms.h"
#include "agent/x11/x_connection.h"

namespace compositord::agent::x11 {

// The window by which a client shows its role. `window` is none when nobody has the role.
struct RoleWindow {
  xcb_window_t window = XCB_WINDOW_NONE;
  pid_t pid = 0;  // of its client, from the server's own knowledge (XRes); 0 when it doesn't tell
  std::string name;
  std::string version;  // only picom tells it
};

struct ScreenRoles {
  RoleWindow compositing_manager;
  RoleWindow window_manager;
};

// Reads both roles and calls `done` once, with what was there. The root's _NET_SUPPORTING_WM_CHECK stays after a window
// manager's death, and its window's id is given to the next client; so the window must carry the same property, naming
// itself. That window's end is an event (DestroyNotify) from then on, for not every window manager owns WM_S0. `has_xres`:
// the server has XRes 1.2, which alone tells pids.
void read_screen_roles(XConnection& connection, const XAtoms& atoms, bool has_xres,
                       std::function<void(ScreenRoles)> done);

}  // namespace compositord::agent::x11
