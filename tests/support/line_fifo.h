#pragma once
// A fifo into which somebody's scripts write lines.

#include <string>

namespace compositord::test {

class LineFifo {
 public:
  explicit LineFifo(std::string path);
  ~LineFifo();
  LineFifo(const LineFifo&) = delete;
  LineFifo& operator=(const LineFifo&) = delete;

  const std::string& path() const noexcept { return path_; }
  // The next line; empty when none comes within 10 s.
  std::string next();

 private:
  std::string path_;
  int fd_;
  std::string read_;
};

}  // namespace compositord::test
