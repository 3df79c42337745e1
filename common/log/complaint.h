#pragma once
// Says once on standard error that a place where log lines go is out of order: a full disk must not fill the terminal.
// When standard error has no room, it is said with the next fault.

#include <string>
#include <string_view>

namespace compositord::log {

class Complaint {
 public:
  // `program` and `consequence` frame what is said: "compositord: <what>; <consequence>".
  Complaint(std::string_view program, std::string_view consequence) : program_(program), consequence_(consequence) {}

  void failed(const std::string& what);
  // After kWellAfter lines in a row that went well, the next fault is news again. Fewer, and a disk on which a line fits now and
  // then would be complained of for ever.
  void went_well() noexcept;
  static constexpr int kWellAfter = 1'000;

 private:
  std::string program_;
  std::string consequence_;
  bool said_ = false;
  int well_ = 0;
};

}  // namespace compositord::log
