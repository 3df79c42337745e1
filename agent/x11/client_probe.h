#pragma once
// A question that only the compositing manager or the window manager can answer, through the server.

#include <xcb/xcb.h>

#include "common/base/instant.h"

namespace compositord::agent::x11 {

class ClientProbe {
 public:
  ClientProbe() = default;
  ClientProbe(const ClientProbe&) = delete;
  ClientProbe& operator=(const ClientProbe&) = delete;
  virtual ~ClientProbe() = default;

  // Asks. It must not be running.
  virtual void start(Instant now) = 0;
  // True once after the answer. Goes on with the question.
  virtual bool service(Instant now) = 0;
  virtual void on_event(const xcb_generic_event_t& event) = 0;
  virtual Instant next_deadline() const noexcept = 0;
  // Takes the question back.
  virtual void cancel() = 0;
};

}  // namespace compositord::agent::x11
