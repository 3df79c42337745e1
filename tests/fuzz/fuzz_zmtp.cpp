// A connection's bytes. The first byte chooses what has been said already: nothing, or the handshake of one version. However the
// bytes are cut into pieces, they mean the same; what is kept and told stays within the limits; and what was read, written and read
// again, is the same.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.h"
#include "common/wire/zmtp.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/zmtp_bytes.h"

namespace compositord::fuzz {

namespace {

using Event = wire::ZmtpReader::Event;

constexpr wire::MessageLimits kLimits{4, 300, 600};
// What may be kept of one connection: a message, and the frame that is being read or a handshake's.
constexpr std::size_t kKeptBytesMax = 600 + 8'192;

struct Reading {
  wire::ZmtpReader reader{kLimits};
  std::string answer;
  std::vector<Event> events;
  std::vector<wire::Frames> messages;

  // In pieces whose sizes `sizes` gives in turn.
  void take(std::string_view bytes, std::string_view sizes) {
    for (std::size_t i = 0; !bytes.empty(); ++i) {
      const std::size_t size = sizes.empty() ? bytes.size() : 1U + static_cast<unsigned char>(sizes[i % sizes.size()]);
      const std::string piece(bytes.substr(0, size));
      bytes.remove_prefix(piece.size());
      if (!take_piece(piece)) return;
    }
  }
  bool take_piece(std::string_view piece) {
    for (;;) {
      const Event event = reader.read(piece, answer);
      CHECK(reader.bytes_kept() <= kKeptBytesMax);
      if (event == Event::kNothing) {
        CHECK(piece.empty());
        return true;
      }
      events.push_back(event);
      if (event == Event::kMessage) take_message();
      if (event == Event::kReady) CHECK(reader.identity().size() <= 255 && !reader.identity().starts_with('\0'));
      if (event == Event::kRefused) {
        CHECK(!reader.why_refused().empty() && reader.why_refused().size() < 200);
        return false;
      }
    }
  }
  void take_message() {
    messages.push_back(reader.take_message());
    CHECK(!messages.back().empty() && messages.back().size() <= kLimits.frames_per_message_max);
    CHECK(wire::total_bytes(messages.back()) <= kLimits.bytes_per_message_max);
  }
};

std::string written(const std::vector<wire::Frames>& messages, wire::ZmtpFraming framing) {
  std::string bytes;
  for (const wire::Frames& frames : messages) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      wire::append_frame_header(framing, frames[i].size(), i + 1 < frames.size(), bytes);
      bytes += frames[i].view();
    }
  }
  return bytes;
}

std::string hello(unsigned choice) {
  switch (choice % 4) {
    case 1: return test::hello_3();
    case 2: return test::hello_2();
    case 3: return test::hello_1();
    default: return {};
  }
}

void check(std::string_view input) {
  const std::string said = hello(static_cast<unsigned char>(input[0]));
  const std::string_view bytes = input.substr(1);
  Reading whole;
  whole.take(said, {});
  whole.take(bytes, {});
  for (const std::string_view sizes :
       {std::string_view("\0", 1), bytes.substr(0, 7), std::string_view("\x02\x40\0\x11", 4)}) {
    Reading pieces;
    pieces.take(said, sizes);
    pieces.take(bytes, sizes);
    CHECK(pieces.events == whole.events && pieces.messages == whole.messages && pieces.answer == whole.answer);
  }
  if (whole.messages.empty()) return;
  Reading again;
  const wire::ZmtpFraming framing = whole.reader.framing();
  again.take(framing == wire::ZmtpFraming::k1 ? test::hello_1() : test::hello_3(), {});
  again.take(written(whole.messages, framing), {});
  CHECK(again.messages == whole.messages);
}

}  // namespace

}  // namespace compositord::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) compositord::fuzz::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
