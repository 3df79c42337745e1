#include "agent/x11/screen_roles.h"

#include <xcb/res.h>

#include <cstring>
#include <memory>
#include <utility>

namespace compositord::agent::x11 {

namespace {

constexpr std::uint32_t kTextWordsMax = 64;  // of 4 bytes

struct Reading {
  XConnection& connection;
  const XAtoms& atoms;
  bool has_xres = false;
  std::function<void(ScreenRoles)> done;
  ScreenRoles roles;
  bool names_itself = false;  // the window manager's window
};
using SharedReading = std::shared_ptr<Reading>;

xcb_window_t window_in(const void* reply) {
  const auto* property = static_cast<const xcb_get_property_reply_t*>(reply);
  if (property == nullptr || property->type != XCB_ATOM_WINDOW || property->format != 32) return XCB_WINDOW_NONE;
  xcb_window_t window = XCB_WINDOW_NONE;
  if (xcb_get_property_value_length(property) < static_cast<int>(sizeof window)) return XCB_WINDOW_NONE;
  std::memcpy(&window, xcb_get_property_value(property), sizeof window);
  return window;
}

std::string text_in(const void* reply) {
  const auto* property = static_cast<const xcb_get_property_reply_t*>(reply);
  if (property == nullptr || property->format != 8) return {};
  const auto length = static_cast<std::size_t>(xcb_get_property_value_length(property));
  const std::string text(static_cast<const char*>(xcb_get_property_value(property)), length);
  return text.substr(0, text.find('\0'));
}

pid_t pid_in(const void* reply) {
  if (reply == nullptr) return 0;
  const auto* ids = static_cast<const xcb_res_query_client_ids_reply_t*>(reply);
  for (auto it = xcb_res_query_client_ids_ids_iterator(ids); it.rem > 0; xcb_res_client_id_value_next(&it)) {
    const bool is_pid = (it.data->spec.mask & XCB_RES_CLIENT_ID_MASK_LOCAL_CLIENT_PID) != 0;
    if (is_pid && xcb_res_client_id_value_value_length(it.data) >= 1) {
      return static_cast<pid_t>(*xcb_res_client_id_value_value(it.data));
    }
  }
  return 0;
}

auto ask_property(const Reading& r, xcb_window_t window, xcb_atom_t property) {
  return xcb_get_property(r.connection.xcb(), 0, window, property, XCB_GET_PROPERTY_TYPE_ANY, 0, kTextWordsMax);
}

// The texts and the pid of one role's window.
void ask_window(const SharedReading& r, RoleWindow ScreenRoles::*role) {
  const xcb_window_t window = (r->roles.*role).window;
  if (window == XCB_WINDOW_NONE) return;
  r->connection.expect(ask_property(*r, window, XCB_ATOM_WM_NAME),
                       [r, role](const void* reply) { (r->roles.*role).name = text_in(reply); });
  r->connection.expect(ask_property(*r, window, r->atoms.net_wm_name), [r, role](const void* reply) {
    if (std::string name = text_in(reply); !name.empty()) (r->roles.*role).name = std::move(name);
  });
  r->connection.expect(ask_property(*r, window, r->atoms.compton_version),
                       [r, role](const void* reply) { (r->roles.*role).version = text_in(reply); });
  if (!r->has_xres) return;
  const xcb_res_client_id_spec_t spec{window, XCB_RES_CLIENT_ID_MASK_LOCAL_CLIENT_PID};
  r->connection.expect(xcb_res_query_client_ids(r->connection.xcb(), 1, &spec),
                       [r, role](const void* reply) { (r->roles.*role).pid = pid_in(reply); });
}

void finish(Reading& r) {
  if (!r.names_itself) r.roles.window_manager = RoleWindow{};
  r.done(std::move(r.roles));
}

void ask_windows(const SharedReading& r) {
  ask_window(r, &ScreenRoles::compositing_manager);
  ask_window(r, &ScreenRoles::window_manager);
  // Before the last question, so that a window whose end is not told is seen to be gone by that one's answer.
  const xcb_window_t window = r->roles.window_manager.window;
  // Property changes, too: whoever names the root or a window of ours shall not turn off what is listened to there.
  constexpr std::uint32_t kEvents = XCB_EVENT_MASK_STRUCTURE_NOTIFY | XCB_EVENT_MASK_PROPERTY_CHANGE;
  if (window != XCB_WINDOW_NONE) {
    xcb_change_window_attributes(r->connection.xcb(), window, XCB_CW_EVENT_MASK, &kEvents);
  }
  // Answers come in the order of the questions, so the last question ends the reading; it is asked also without a window.
  r->connection.expect(ask_property(*r, window, r->atoms.supporting_wm_check), [r, window](const void* reply) {
    r->names_itself = window != XCB_WINDOW_NONE && window_in(reply) == window;
    finish(*r);
  });
}

}  // namespace

void read_screen_roles(XConnection& connection, const XAtoms& atoms, bool has_xres,
                       std::function<void(ScreenRoles)> done) {
  auto r = std::make_shared<Reading>(Reading{connection, atoms, has_xres, std::move(done), {}, false});
  connection.expect(xcb_get_selection_owner(connection.xcb(), atoms.compositing_manager), [r](const void* reply) {
    const auto* owner = static_cast<const xcb_get_selection_owner_reply_t*>(reply);
    if (owner != nullptr) r->roles.compositing_manager.window = owner->owner;
  });
  connection.expect(ask_property(*r, connection.screen()->root, atoms.supporting_wm_check), [r](const void* reply) {
    r->roles.window_manager.window = window_in(reply);
    ask_windows(r);
  });
}

}  // namespace compositord::agent::x11
