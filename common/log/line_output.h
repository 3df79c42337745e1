#pragma once
// Lines to a descriptor that may be stuck, as a pipe that nobody reads or a terminal that was stopped: written when there is
// room, else refused. Never waits.

#include <string>
#include <string_view>

namespace compositord::log {

class LineOutput {
 public:
  // `fd` stays the caller's.
  explicit LineOutput(int fd);
  ~LineOutput();
  LineOutput(const LineOutput&) = delete;
  LineOutput& operator=(const LineOutput&) = delete;

  // Takes the whole line, with its newline, or nothing of it: false. A line that is taken and does not fit is finished before the
  // next one begins.
  bool write(std::string_view line);
  bool is_terminal() const noexcept { return is_terminal_; }

 private:
  bool write_rest();

  int fd_;
  bool is_terminal_;
  int own_fd_ = -1;
  std::string rest_;  // of a line that was taken
};

}  // namespace compositord::log
