#include "agent/x11/screen_inputs.h"

#include <string>
#include <string_view>
#include <utility>

#include "common/base/log_event.h"

namespace compositord::agent::x11 {

namespace {

// "keyboard" rather than "master-keyboard": the words that Wayland's seats have for what a user types on.
std::string_view kind_of(std::uint16_t type) {
  switch (type) {
    case XCB_INPUT_DEVICE_TYPE_MASTER_POINTER: return "pointer";
    case XCB_INPUT_DEVICE_TYPE_MASTER_KEYBOARD: return "keyboard";
    case XCB_INPUT_DEVICE_TYPE_SLAVE_POINTER: return "slave-pointer";
    case XCB_INPUT_DEVICE_TYPE_SLAVE_KEYBOARD: return "slave-keyboard";
    case XCB_INPUT_DEVICE_TYPE_FLOATING_SLAVE: return "floating";
    default: return "unknown";
  }
}

std::vector<msg::InputDevice> devices_of(const xcb_input_xi_query_device_reply_t& reply) {
  std::vector<msg::InputDevice> devices;
  auto it = xcb_input_xi_query_device_infos_iterator(&reply);
  for (; it.rem > 0 && devices.size() < kScreenInputsMax; xcb_input_xi_device_info_next(&it)) {
    const std::string_view name(xcb_input_xi_device_info_name(it.data), it.data->name_len);
    devices.push_back(msg::InputDevice{escape_for_log(name), std::string(kind_of(it.data->type))});
  }
  return devices;
}

}  // namespace

void listen_to_inputs(XConnection& connection) {
  struct {
    xcb_input_event_mask_t head{XCB_INPUT_DEVICE_ALL, 1};
    std::uint32_t mask = XCB_INPUT_XI_EVENT_MASK_HIERARCHY;
  } wanted;
  xcb_input_xi_select_events(connection.xcb(), connection.screen()->root, 1, &wanted.head);
}

bool is_input_change(const xcb_generic_event_t& event, std::uint8_t xinput_opcode) {
  if ((event.response_type & 0x7fU) != XCB_GE_GENERIC) return false;
  const auto& generic = reinterpret_cast<const xcb_ge_generic_event_t&>(event);
  return generic.extension == xinput_opcode && generic.event_type == XCB_INPUT_HIERARCHY;
}

void read_screen_inputs(XConnection& connection,
                        std::function<void(std::optional<std::vector<msg::InputDevice>>)> done) {
  connection.expect(xcb_input_xi_query_device(connection.xcb(), XCB_INPUT_DEVICE_ALL),
                    [done = std::move(done)](const void* reply) {
                      if (reply == nullptr) return done(std::nullopt);
                      done(devices_of(*static_cast<const xcb_input_xi_query_device_reply_t*>(reply)));
                    });
}

}  // namespace compositord::agent::x11
