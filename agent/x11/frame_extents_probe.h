#pragma once
// Does the window manager answer? A window that is never shown asks for the size of its frame, and the window manager
// answers by setting a property. Nothing is seen of it. Not every window manager answers: compiz 0.8 and KWin don't.
// Source: EWMH 1.5, _NET_REQUEST_FRAME_EXTENTS.

#include <optional>

#include "agent/x11/client_probe.h"
#include "agent/x11/x_atoms.h"
#include "agent/x11/x_connection.h"

namespace compositord::agent::x11 {

class FrameExtentsProbe : public ClientProbe {
 public:
  FrameExtentsProbe(XConnection& connection, const XAtoms& atoms) : connection_(connection), atoms_(atoms) {}

  void start(Instant now) override;
  bool service(Instant now) override;
  void on_event(const xcb_generic_event_t& event) override;
  Instant next_deadline() const noexcept override { return kNever; }
  void cancel() override { is_waiting_ = false; }

 private:
  XConnection& connection_;
  const XAtoms& atoms_;
  std::optional<XId> window_;
  bool is_waiting_ = false;
  bool is_answered_ = false;
};

}  // namespace compositord::agent::x11
