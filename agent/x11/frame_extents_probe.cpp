#include "agent/x11/frame_extents_probe.h"

#include <utility>

namespace compositord::agent::x11 {

void FrameExtentsProbe::start(Instant) {
  xcb_connection_t* xcb = connection_.xcb();
  const xcb_window_t root = connection_.screen()->root;
  if (!window_) {
    auto id = connection_.take_id();
    if (!id) return;  // never asked, so never proven: the trial is given up
    window_ = std::move(*id);
    constexpr std::uint32_t kEvents = XCB_EVENT_MASK_PROPERTY_CHANGE;
    xcb_create_window(xcb, XCB_COPY_FROM_PARENT, window_->get(), root, 0, 0, 1, 1, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT,
                      XCB_COPY_FROM_PARENT, XCB_CW_EVENT_MASK, &kEvents);
  }
  is_answered_ = false;
  is_waiting_ = true;
  xcb_client_message_event_t message{};
  message.response_type = XCB_CLIENT_MESSAGE;
  message.format = 32;
  message.window = window_->get();
  message.type = atoms_.request_frame_extents;
  xcb_send_event(xcb, 0, root, XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY | XCB_EVENT_MASK_SUBSTRUCTURE_REDIRECT,
                 reinterpret_cast<const char*>(&message));
}

void FrameExtentsProbe::on_event(const xcb_generic_event_t& event) {
  if ((event.response_type & 0x7fU) != XCB_PROPERTY_NOTIFY) return;
  const auto& notify = reinterpret_cast<const xcb_property_notify_event_t&>(event);
  if (!window_ || notify.window != window_->get() || notify.atom != atoms_.frame_extents) return;
  // Not assigned: a second one in the same turn, to a question that was taken back, must not undo the first.
  if (std::exchange(is_waiting_, false)) is_answered_ = true;
}

bool FrameExtentsProbe::service(Instant) { return std::exchange(is_answered_, false); }

}  // namespace compositord::agent::x11
