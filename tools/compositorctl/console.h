#pragma once
// Standard output and standard error. A reader that went away is no error: it has what it wanted (`compositorctl ls | head`).

#include <string>
#include <string_view>

#include "tools/compositorctl/exit_code.h"

namespace compositord::ctl {

class Console {
 public:
  // Looks whether standard output is a terminal that wants colours. Source: no-color.org.
  Console();

  bool coloured() const noexcept { return coloured_; }
  bool is_terminal() const noexcept { return terminal_; }
  // Writes to standard output at once. Errors: kDone with no text, when nobody reads any more; kLocal when it can't be
  // written (a full disk).
  Outcome<void> print(std::string_view text);
  Outcome<void> print_line(std::string_view line);
  // A line to standard error that begins with the program's name.
  void note(std::string_view text);
  // To standard error as it is.
  void complain(std::string_view text);

 private:
  bool terminal_;
  bool coloured_;
};

}  // namespace compositord::ctl
