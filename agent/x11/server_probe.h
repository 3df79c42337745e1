#pragma once
// Does the X server answer? One GetInputFocus round trip: the server's main loop took a request and answered it. It says
// nothing of the window manager and the compositing manager, which are clients of the server.

#include <utility>

#include "agent/x11/x_connection.h"

namespace compositord::agent::x11 {

class ServerProbe {
 public:
  explicit ServerProbe(XConnection& connection) : connection_(connection) {}

  void start() {
    connection_.expect(xcb_get_input_focus(connection_.xcb()), [this](const void*) { is_answered_ = true; });
  }
  // True once after the answer.
  bool take_answer() noexcept { return std::exchange(is_answered_, false); }

 private:
  XConnection& connection_;
  bool is_answered_ = false;
};

}  // namespace compositord::agent::x11
