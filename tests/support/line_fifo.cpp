#include "tests/support/line_fifo.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "common/base/check.h"

namespace compositord::test {

LineFifo::LineFifo(std::string path) : path_(std::move(path)) {
  CHECK(mkfifo(path_.c_str(), 0600) == 0);
  // Also for writing: it has no end when a writer goes.
  fd_ = open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  CHECK(fd_ >= 0);
}

LineFifo::~LineFifo() { close(fd_); }

std::string LineFifo::next() {
  for (;;) {
    const std::size_t newline = read_.find('\n');
    if (newline != std::string::npos) {
      std::string line = read_.substr(0, newline);
      read_.erase(0, newline + 1);
      return line;
    }
    pollfd readable{fd_, POLLIN, 0};
    if (poll(&readable, 1, 10'000) != 1) return {};
    std::array<char, 4'096> chunk{};
    const ssize_t length = read(fd_, chunk.data(), chunk.size());
    if (length > 0) read_.append(chunk.data(), static_cast<std::size_t>(length));
  }
}

}  // namespace compositord::test
