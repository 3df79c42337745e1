#pragma once
// The cookie that an X server wants to see, from $XAUTHORITY or ~/.Xauthority.

#include <string>

namespace compositord::agent::x11 {

struct XCookie {
  std::string name;  // "MIT-MAGIC-COOKIE-1"; empty when there is none for this display
  std::string data;
};

// For a display like ":72". Reads a small local file.
XCookie find_x_cookie(const std::string& display);

}  // namespace compositord::agent::x11
