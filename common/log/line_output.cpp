#include "common/log/line_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace compositord::log {

namespace {

bool has_room(int fd) {
  pollfd ready{fd, POLLOUT, 0};
  return ::poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0;
}

}  // namespace

LineOutput::LineOutput(int fd) : fd_(fd), is_terminal_(isatty(fd) == 1) {
  // A terminal that has room for some bytes waits for room for all, and another writer may fill a pipe between poll() and
  // write(). Opened once more they never wait, and whoever shares the descriptor with us notices nothing. When that is refused,
  // as to another user than the terminal's, poll() has to do.
  struct stat kind {};
  if (is_terminal_ || (fstat(fd, &kind) == 0 && S_ISFIFO(kind.st_mode))) {
    own_fd_ = open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  }
  if (own_fd_ >= 0) fd_ = own_fd_;
}

LineOutput::~LineOutput() {
  if (own_fd_ >= 0) close(own_fd_);
}

bool LineOutput::write(std::string_view line) {
  if (!write_rest() || !has_room(fd_)) return false;
  rest_ = line;
  write_rest();
  return true;
}

bool LineOutput::write_rest() {
  std::string_view left = rest_;
  while (!left.empty() && has_room(fd_)) {
    // A pipe that is ready takes PIPE_BUF bytes without blocking, and whole.
    const ssize_t n = ::write(fd_, left.data(), std::min<std::size_t>(left.size(), PIPE_BUF));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) break;
    if (n <= 0) left = {};  // there is nobody any more, or the disk is full: the line is lost
    if (n > 0) left.remove_prefix(static_cast<std::size_t>(n));
  }
  rest_.erase(0, rest_.size() - left.size());
  return rest_.empty();
}

}  // namespace compositord::log
