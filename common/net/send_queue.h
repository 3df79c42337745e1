#pragma once
// What waits to be written to one connection: messages, framed already.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/wire/frames.h"
#include "common/wire/zmtp.h"

namespace compositord::net {

class SendQueue {
 public:
  enum class Outcome : std::uint8_t {
    kEmpty,    // all is written
    kBlocked,  // the connection takes no more for now
    kBroken,   // nor ever
  };

  void add_bytes(std::string_view bytes);  // of a handshake
  void add_message(wire::ZmtpFraming framing, wire::Frames&& frames);
  // Writes what the connection takes.
  Outcome write_to(int fd);

  // Those that are not wholly written; a few that are may be counted, too.
  std::size_t messages() const noexcept { return messages_; }
  std::size_t bytes() const noexcept { return bytes_; }
  // Whether it keeps much more memory than an idle connection needs; and gives it back, when nothing waits.
  bool is_roomy() const noexcept;
  void shrink();

 private:
  // Consecutive bytes on their way: short frames are copied, together; a long one follows them as it is.
  struct Part {
    std::string bytes;
    wire::Frame frame;
    std::size_t messages = 0;  // that end in it
    std::size_t size() const noexcept { return bytes.size() + frame.size(); }
  };

  Part& open_part();
  void drop_written(std::size_t count);

  std::vector<Part> parts_;
  std::size_t first_ = 0;    // of them that is not wholly written
  std::size_t written_ = 0;  // bytes of that one
  std::size_t messages_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace compositord::net
