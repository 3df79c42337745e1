#include "tools/compositorctl/console.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <fmt/format.h>

namespace compositord::ctl {

namespace {

bool wants_colours() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return !dumb && (no_colour == nullptr || *no_colour == '\0');
}

// An error number, or 0. Writes everything: a pipe may take less at a time.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // whoever shares our terminal may have made it non-blocking
      pollfd wait{fd, POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

Console::Console() : terminal_(isatty(STDOUT_FILENO) == 1), coloured_(terminal_ && wants_colours()) {}

Outcome<void> Console::print(std::string_view text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error == 0) return {};
  if (error == EPIPE) return give_up(ExitCode::kDone, {});
  return give_up(ExitCode::kLocal, "standard output can't be written: " + std::generic_category().message(error));
}

Outcome<void> Console::print_line(std::string_view line) { return print(std::string(line) + '\n'); }

void Console::note(std::string_view text) { complain(fmt::format("compositorctl: {}\n", text)); }

void Console::complain(std::string_view text) {
  write_all(STDERR_FILENO, text);  // when that fails, there is nowhere left to say so
}

}  // namespace compositord::ctl
