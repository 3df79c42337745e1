#pragma once
// An X display of its own for one test: a number that nobody uses, and the programs that make it a desktop.

#include <string>
#include <vector>

#include "tests/support/compositor_process.h"

namespace compositord::test {

class XDisplay {
 public:
  explicit XDisplay(const RuntimeDir& dir);
  ~XDisplay();  // removes what a killed server leaves
  XDisplay(const XDisplay&) = delete;
  XDisplay& operator=(const XDisplay&) = delete;

  const std::string& name() const noexcept { return name_; }  // ":1234"
  std::string socket_path() const;
  // Xvfb, 1280x1024.
  CompositorProcess xvfb() const;
  // Xorg with the dummy driver: DUMMY0 on, DUMMY1 and more to be added.
  CompositorProcess xorg() const;
  // Xephyr, 800x600: a server in a window of another, `host`, and the one that turns its output.
  CompositorProcess xephyr(const XDisplay& host) const;
  // A program on this display.
  CompositorProcess client(std::vector<std::string> arguments) const;

 private:
  const RuntimeDir& dir_;
  std::string name_;
};

}  // namespace compositord::test
