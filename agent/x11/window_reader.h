#pragma once
// Carries out `windows` on an X display: what its window manager lists in the root's _NET_CLIENT_LIST, in the order in which the
// windows came. Source: EWMH 1.5.
//
//   begin -> the list -> the windows, kBatch at a time, for a server answers all that it is asked at once -> ended

#include <xcb/xcb.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/windows/window_list.h"
#include "agent/x11/screen_outputs.h"
#include "agent/x11/x_atoms.h"
#include "agent/x11/x_connection.h"
#include "common/base/instant.h"
#include "common/msg/manifest.h"

namespace compositord::agent::x11 {

class WindowReader {
 public:
  static constexpr std::size_t kAtWorkMax = 4;
  static constexpr std::size_t kBatch = 16;

  WindowReader(XConnection& connection, const XAtoms& atoms) : connection_(connection), atoms_(atoms) {}
  WindowReader(const WindowReader&) = delete;
  WindowReader& operator=(const WindowReader&) = delete;

  static msg::CommandSupport support(bool has_window_manager);
  // Ends with one CommandFinished. `screen`: where its outputs lie. Errors: kMalformed, kLimit when kAtWorkMax are at work,
  // kUnsupported when there is no such list, kDeadline, kGone.
  void execute(std::uint64_t command_id, const msg::Value& params, const ScreenOutputs& screen, Instant now,
               Instant deadline, DriverOutputs& out);
  Instant next_deadline() const noexcept;
  void service(Instant now, DriverOutputs& out);
  void on_gone(DriverOutputs& out);

 private:
  struct Reading;
  XConnection& connection_;
  const XAtoms& atoms_;
  std::vector<std::shared_ptr<Reading>> readings_;
};

}  // namespace compositord::agent::x11
