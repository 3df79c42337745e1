#pragma once
// The bytes of one ZeroMQ connection, as a ROUTER that was connected to speaks them, without encryption: bytes in, messages and
// bytes to answer out. No sockets here.
//
// Spoken: ZMTP 3.0 and 3.1 (23/ZMTP, 37/ZMTP) with the mechanism NULL, 2.0 (15/ZMTP), and 1.0 (13/ZMTP), which old libraries
// still have. Sources: those texts at rfc.zeromq.org, and libzmq 4.3.4 for how a version is agreed on.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/wire/frames.h"

namespace compositord::wire {

// The first bytes of a connection, to be sent at once.
std::string_view zmtp_signature() noexcept;

// How the frames of a connection are written; in the handshake both sides agree on it.
enum class ZmtpFraming : std::uint8_t {
  k1,  // a length, which counts the flags, then the flags
  k2,  // flags, then the length; also that of 3.0 and 3.1
};

// Appends what precedes the `size` bytes of a message's frame.
void append_frame_header(ZmtpFraming framing, std::size_t size, bool more, std::string& out);

// What one peer has sent so far.
class ZmtpReader {
 public:
  enum class Event : std::uint8_t {
    kNothing,   // all bytes are taken, and nothing has become complete
    kReady,     // the handshake is done when welcome() was sent: identity() and framing() are known
    kMessage,   // take_message() has it
    kTooLarge,  // a whole message that broke a limit; its bytes are gone
    kRefused,   // why_refused() says why: the connection is to be closed when `answer` was sent. Nothing more is read
  };

  explicit ZmtpReader(const MessageLimits& limits) noexcept : limits_(limits) {}

  // Takes bytes from the front of `bytes`, as they came in, until something has happened; appends to `answer` what is to be sent.
  // To be called again until it says kNothing.
  Event read(std::string_view& bytes, std::string& answer);

  Frames take_message() noexcept { return std::exchange(message_, {}); }
  ZmtpFraming framing() const noexcept { return framing_; }
  // What ends the handshake for a peer that is taken. Until it has that, a peer sends no message that could be lost.
  std::string_view welcome() const noexcept;
  const std::string& identity() const noexcept { return text_; }  // when ready; empty: the peer leaves it to us
  const std::string& why_refused() const noexcept {
    return text_;
  }  // when refused; "speaks no ZMTP": what the peer does
  // What is kept of a message that is not complete.
  std::size_t bytes_kept() const noexcept { return kept_bytes_ + collected_.size(); }
  // For a large frame: what is still to come of it.
  std::size_t bytes_missing() const noexcept { return header_ ? header_->size - collected_.size() : 0; }

 private:
  enum class State : std::uint8_t {
    kSignature,
    kRevision,
    kGreeting,    // 3.x: the rest of it
    kSocketType,  // 2.0
    kHandshake,   // the first frame: 3.x: the command READY; before: the identity
    kMessages,
    kRefused,
  };
  struct Header {
    std::size_t size = 0;
    bool more = false;
    bool command = false;
  };

  std::optional<Event> step(std::string_view& bytes, std::string& answer);
  std::optional<std::string_view> collect(std::string_view& bytes, std::size_t size);
  std::optional<Event> read_signature(std::string_view& bytes, std::string& answer);
  std::optional<Event> read_revision(std::string_view& bytes, std::string& answer);
  std::optional<Event> read_greeting(std::string_view& bytes, std::string& answer);
  std::optional<Event> read_socket_type(std::string_view& bytes, std::string& answer);
  std::optional<Event> read_header(std::string_view& bytes, std::string& answer);
  std::optional<Event> take_header(std::string_view bytes, std::string& answer);
  std::optional<Event> read_body(std::string_view& bytes, std::string& answer);
  std::optional<Event> skip_body(std::string_view& bytes);
  std::optional<Event> take_handshake(std::string_view body, std::string& answer);
  std::optional<Event> take_ready(std::string_view properties, std::string& answer);
  std::optional<Event> take_identity(std::string_view identity, std::string& answer);
  std::optional<Event> end_frame();
  bool is_kept() const noexcept;
  Event refuse(std::string why, std::string& answer);

  MessageLimits limits_;
  State state_ = State::kSignature;
  ZmtpFraming framing_ = ZmtpFraming::k2;
  bool has_commands_ = false;      // 3.x
  bool broke_a_limit_ = false;     // the message that is being read: it is thrown away
  std::optional<Header> header_;   // of the frame whose body is being read
  std::size_t skipped_ = 0;        // bytes of that body, when it is thrown away
  std::string collected_;          // the beginning of what is incomplete: a header, a body, a part of the greeting
  Frames message_;                 // what is complete of the message that is being read
  std::size_t message_bytes_ = 0;  // of all its frames so far, with the one that is being read
  std::size_t kept_bytes_ = 0;     // in message_
  std::string text_;
};

}  // namespace compositord::wire
