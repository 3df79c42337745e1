#include "tests/support/http_receiver.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "common/base/check.h"

namespace compositord::test {

HttpReceiver::HttpReceiver(const std::string& certificate) : scheme_(certificate.empty() ? "http" : "https") {
  std::array<int, 2> ends{};
  CHECK(pipe2(ends.data(), O_CLOEXEC) == 0);
  pid_ = fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    const char* file = certificate.empty() ? nullptr : certificate.c_str();
    // Its own path as its name, too: by that it finds its modules, and another python3 may come first in PATH.
    execl("/usr/bin/python3", "/usr/bin/python3", COMPOSITORD_HTTP_RECEIVER, file, nullptr);
    _exit(127);
  }
  close(ends[1]);
  out_ = ends[0];
  port_ = next();
  CHECK(!port_.empty());
}

HttpReceiver::~HttpReceiver() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(out_);
}

std::string HttpReceiver::url(const std::string& path) const { return scheme_ + "://127.0.0.1:" + port_ + path; }

std::string HttpReceiver::next(int wait_ms) {
  for (;;) {
    const std::size_t newline = read_.find('\n');
    if (newline != std::string::npos) {
      std::string line = read_.substr(0, newline);
      read_.erase(0, newline + 1);
      return line;
    }
    pollfd readable{out_, POLLIN, 0};
    std::array<char, 4'096> chunk{};
    if (poll(&readable, 1, wait_ms) != 1) return {};
    const ssize_t length = read(out_, chunk.data(), chunk.size());
    if (length <= 0) return {};
    read_.append(chunk.data(), static_cast<std::size_t>(length));
  }
}

}  // namespace compositord::test
