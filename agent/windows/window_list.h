#pragma once
// The command `windows`: which windows are there, as the compositor or the window manager lists them. Whoever reads them, the answer
// is made here.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::agent {

inline constexpr std::string_view kWindowsName = "windows";

// A state is "activated", "fullscreen", "maximized" or "minimized", as wlr-foreign-toplevel-management names them.
struct Window {
  std::string app_id;
  std::string title;
  std::vector<std::string> states;
  std::vector<std::string> outputs;  // on which it lies, by name
};

class WindowList {
 public:
  // A desk has some dozens; beyond this it is counted, and not described.
  static constexpr std::size_t kWindowsMax = 256;
  static constexpr std::size_t kTextBytesMax = 256;

  // Its texts are made printable and cut.
  void add(Window window);
  // So many more are there, of which nothing is known.
  void add_uncounted(std::size_t windows) { count_ += windows; }
  std::size_t count() const noexcept { return count_; }
  // The result of the command.
  msg::Value result() const;

 private:
  std::size_t count_ = 0;
  std::vector<Window> windows_;
};

// It takes no parameters. Errors: kMalformed.
Result<void> parse_windows_request(const msg::Value& params);

}  // namespace compositord::agent
