#include "common/wire/zmtp.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace compositord::wire {

namespace {

using Event = ZmtpReader::Event;

// To a peer of 1.0 the signature is a whole frame: an empty identity, its length in the long form. Source: 15/ZMTP, libzmq 4.3.4
// (zmtp_engine.cpp).
constexpr std::string_view kSignature("\xff\0\0\0\0\0\0\0\1\x7f", 10);
constexpr std::string_view kMajor = "\x03";
// Minor version, mechanism (20 bytes), as-server, filler (31 bytes). Source: 37/ZMTP, Greeting.
constexpr std::string_view kRestOfGreeting(
    "\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    53);
constexpr std::size_t kMechanismBytes = 20;
// The command READY with the properties Socket-Type and Identity, which is empty.
constexpr std::string_view kReady("\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0", 43);
constexpr std::string_view kSocketTypeRouter = "\x06";  // 15/ZMTP
constexpr std::string_view kEmptyIdentity2("\0\0", 2);  // a frame

// The flags of 2.0 and later.
constexpr unsigned kMore = 1;
constexpr unsigned kLong = 2;
constexpr unsigned kCommand = 4;
constexpr unsigned char kLongLength1 = 0xff;
constexpr std::size_t kLongLengthBytes = 8;
constexpr std::size_t kIdentityBytesMax = 255;
// Of READY, and of a command after it: the ones that mean something to us have at most some 300 bytes.
constexpr std::size_t kReadyBytesMax = 8U << 10U;
constexpr std::size_t kCommandBytesMax = 1U << 10U;
// What a frame's size may ask for before its bytes have come.
constexpr std::size_t kReservedBytesMax = 64U << 10U;
// Room for the messages that a broker routes: a request has 4 frames and its answer 5, when the body is one frame.
constexpr std::size_t kFramesUsual = 6;

constexpr std::string_view kNoZmtp = "speaks no ZMTP: it is no ZeroMQ program";

unsigned char byte_of(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

// Big end first.
std::uint64_t number_of(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8U | static_cast<unsigned char>(byte);
  return number;
}

void append_number(std::uint64_t number, std::string& out) {
  for (std::size_t i = kLongLengthBytes; i-- > 0;) out.push_back(static_cast<char>(number >> (8 * i) & 0xffU));
}

bool equal_names(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

// As 15/ZMTP numbers them.
constexpr std::array<std::string_view, 9> kSocketTypes{"PAIR",   "PUB",    "SUB",  "REQ", "REP",
                                                       "DEALER", "ROUTER", "PULL", "PUSH"};

// Why a socket of this type can't talk to a ROUTER; empty: it can.
std::string type_fault(std::string_view type) {
  if (type == "REQ" || type == "DEALER" || type == "ROUTER") return {};
  if (type == "SUB" || type == "XSUB") {
    return fmt::format("is a {} socket, and this endpoint is the bus: subscribers connect to the feed", type);
  }
  constexpr std::size_t kTypeBytesMax = 16;
  const bool printable = type.size() <= kTypeBytesMax &&
                         std::all_of(type.begin(), type.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return fmt::format("is a {} socket, and the bus takes DEALER, REQ and ROUTER", printable ? type : "strange");
}

std::string_view trimmed(std::string_view mechanism) { return mechanism.substr(0, mechanism.find('\0')); }

// Splits `size` bytes off the front; nothing when there are fewer.
std::optional<std::string_view> split_off(std::string_view& bytes, std::size_t size) {
  if (bytes.size() < size) return std::nullopt;
  const std::string_view front = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return front;
}

// A command's name. Source: 37/ZMTP, command-name: a length, 1 to 255, and so many bytes.
std::optional<std::string_view> split_off_name(std::string_view& body) {
  if (body.empty() || body[0] == 0) return std::nullopt;
  const std::size_t size = byte_of(body, 0);
  body.remove_prefix(1);
  return split_off(body, size);
}

void append_command(std::string_view name, std::string_view data, std::string& out) {
  out.push_back(static_cast<char>(kCommand));
  out.push_back(static_cast<char>(1 + name.size() + data.size()));  // callers keep it below 256
  out.push_back(static_cast<char>(name.size()));
  out += name;
  out += data;
}

// A PING is answered with its context, at most 16 bytes of it; all other commands are none of a ROUTER's. Source: 37/ZMTP.
void answer_command(std::string_view body, std::string& answer) {
  constexpr std::size_t kTtlBytes = 2;
  constexpr std::size_t kContextBytesMax = 16;
  if (split_off_name(body) != "PING" || !split_off(body, kTtlBytes)) return;
  append_command("PONG", body.substr(0, kContextBytesMax), answer);
}

}  // namespace

std::string_view zmtp_signature() noexcept { return kSignature; }

void append_frame_header(ZmtpFraming framing, std::size_t size, bool more, std::string& out) {
  if (framing == ZmtpFraming::k1) {
    const bool is_long = size + 1 >= kLongLength1;
    out.push_back(static_cast<char>(is_long ? kLongLength1 : size + 1));
    if (is_long) append_number(size + 1, out);
    out.push_back(static_cast<char>(more ? kMore : 0));
    return;
  }
  const bool is_long = size > 0xff;
  out.push_back(static_cast<char>((more ? kMore : 0) | (is_long ? kLong : 0)));
  is_long ? append_number(size, out) : out.push_back(static_cast<char>(size));
}

std::string_view ZmtpReader::welcome() const noexcept {
  if (framing_ == ZmtpFraming::k1) return {};  // the signature was all
  return has_commands_ ? kReady : kEmptyIdentity2;
}

Event ZmtpReader::read(std::string_view& bytes, std::string& answer) {
  for (;;) {
    if (const std::optional<Event> event = step(bytes, answer)) return *event;
  }
}

// Nothing: more can be read.
std::optional<Event> ZmtpReader::step(std::string_view& bytes, std::string& answer) {
  switch (state_) {
    case State::kSignature: return read_signature(bytes, answer);
    case State::kRevision: return read_revision(bytes, answer);
    case State::kGreeting: return read_greeting(bytes, answer);
    case State::kSocketType: return read_socket_type(bytes, answer);
    case State::kHandshake:
    case State::kMessages: return header_ ? read_body(bytes, answer) : read_header(bytes, answer);
    case State::kRefused: break;
  }
  bytes = {};
  return Event::kRefused;
}

// The next `size` bytes, however many reads they take; nothing when they are not all there. Good until the next call.
std::optional<std::string_view> ZmtpReader::collect(std::string_view& bytes, std::size_t size) {
  if (collected_.empty()) {
    if (const auto whole = split_off(bytes, size)) return whole;
    collected_.reserve(std::min(size, kReservedBytesMax));
  }
  const std::string_view part = *split_off(bytes, std::min(size - collected_.size(), bytes.size()));
  // Twice what has come, but never more than will.
  if (collected_.size() + part.size() > collected_.capacity()) {
    collected_.reserve(std::min(size, std::max(2 * collected_.capacity(), collected_.size() + part.size())));
  }
  collected_ += part;
  if (collected_.size() < size) return std::nullopt;
  return collected_;
}

std::optional<Event> ZmtpReader::read_signature(std::string_view& bytes, std::string& answer) {
  if (bytes.empty() && collected_.empty()) return Event::kNothing;
  if (collected_.empty() && byte_of(bytes, 0) != kLongLength1) {  // the length of an identity of 1.0
    framing_ = ZmtpFraming::k1;
    state_ = State::kHandshake;
    return std::nullopt;
  }
  const std::optional<std::string_view> signature = collect(bytes, kSignature.size());
  if (!signature) return Event::kNothing;
  const bool is_newer = (byte_of(*signature, kSignature.size() - 1) & 1U) != 0;
  collected_.clear();
  if (!is_newer) return refuse(std::string(kNoZmtp), answer);
  answer += kMajor;
  state_ = State::kRevision;
  return std::nullopt;
}

std::optional<Event> ZmtpReader::read_revision(std::string_view& bytes, std::string& answer) {
  const std::optional<std::string_view> revision = split_off(bytes, 1);
  if (!revision) return Event::kNothing;
  const unsigned major = byte_of(*revision, 0);
  if (major == 0) return refuse("speaks a version of ZMTP between 1.0 and 2.0, that of ZeroMQ 3.0's trials", answer);
  has_commands_ = major >= 3;
  answer += has_commands_ ? kRestOfGreeting : kSocketTypeRouter;
  state_ = has_commands_ ? State::kGreeting : State::kSocketType;
  return std::nullopt;
}

std::optional<Event> ZmtpReader::read_greeting(std::string_view& bytes, std::string& answer) {
  const std::optional<std::string_view> greeting = collect(bytes, kRestOfGreeting.size());
  if (!greeting) return Event::kNothing;
  const std::string mechanism(trimmed(greeting->substr(1, kMechanismBytes)));
  collected_.clear();
  if (mechanism != "NULL") {
    const bool known = mechanism == "PLAIN" || mechanism == "CURVE" || mechanism == "GSSAPI";
    return refuse(fmt::format("asks for the security mechanism {}, and the bus has none", known ? mechanism : "?"),
                  answer);
  }
  state_ = State::kHandshake;
  return std::nullopt;
}

std::optional<Event> ZmtpReader::read_socket_type(std::string_view& bytes, std::string& answer) {
  const std::optional<std::string_view> type = split_off(bytes, 1);
  if (!type) return Event::kNothing;
  const unsigned number = byte_of(*type, 0);
  if (std::string fault = type_fault(number < kSocketTypes.size() ? kSocketTypes.at(number) : "?"); !fault.empty()) {
    return refuse(std::move(fault), answer);
  }
  state_ = State::kHandshake;
  return std::nullopt;
}

std::optional<Event> ZmtpReader::read_header(std::string_view& bytes, std::string& answer) {
  if (bytes.empty()) return Event::kNothing;
  const unsigned first = byte_of(collected_.empty() ? bytes : collected_, 0);
  const bool is_long = framing_ == ZmtpFraming::k1 ? first == kLongLength1 : (first & kLong) != 0;
  const std::size_t size = (framing_ == ZmtpFraming::k1 && is_long ? 2 : 1) + (is_long ? kLongLengthBytes : 1);
  const std::optional<std::string_view> header = collect(bytes, size);
  if (!header) return Event::kNothing;
  const std::optional<Event> event = take_header(*header, answer);
  collected_.clear();
  return event;
}

std::optional<Event> ZmtpReader::take_header(std::string_view bytes, std::string& answer) {
  const bool is_version_1 = framing_ == ZmtpFraming::k1;
  const unsigned flags = byte_of(bytes, is_version_1 ? bytes.size() - 1 : 0);
  const unsigned known = is_version_1 ? kMore : has_commands_ ? kMore | kLong | kCommand : kMore | kLong;
  std::uint64_t size = 0;
  if (is_version_1) {
    size = number_of(bytes.size() == 2 ? bytes.substr(0, 1) : bytes.substr(1, kLongLengthBytes));
  } else {
    size = number_of(bytes.substr(1));
  }
  const bool command = (flags & kCommand) != 0;
  // A length of 1.0 counts the flags; and of a handshake's frame none is followed by another.
  const bool strange = (flags & ~known) != 0 || (is_version_1 && size-- == 0) || (command && (flags & kMore) != 0) ||
                       (state_ == State::kHandshake && (flags & kMore) != 0);
  if (strange) {
    return refuse(state_ == State::kHandshake ? std::string(kNoZmtp) : "sent what is no frame of ZMTP", answer);
  }
  const std::size_t handshake_max = has_commands_ ? kReadyBytesMax : kIdentityBytesMax;
  const std::size_t size_max = state_ == State::kHandshake ? handshake_max : limits_.bytes_per_frame_max;
  if (size > size_max) return refuse(fmt::format("sent a frame of {} bytes, more than {}", size, size_max), answer);
  header_ = Header{static_cast<std::size_t>(size), (flags & kMore) != 0, command};
  if (command || state_ == State::kHandshake) return std::nullopt;
  if (message_.empty()) message_.reserve(kFramesUsual);
  message_bytes_ += header_->size;
  if (message_.size() >= limits_.frames_per_message_max || message_bytes_ > limits_.bytes_per_message_max) {
    broke_a_limit_ = true;
    message_.clear();
    kept_bytes_ = 0;
  }
  return std::nullopt;
}

// Whether the frame that is being read is not thrown away.
bool ZmtpReader::is_kept() const noexcept {
  if (state_ == State::kHandshake) return true;
  return header_->command ? header_->size <= kCommandBytesMax : !broke_a_limit_;
}

std::optional<Event> ZmtpReader::read_body(std::string_view& bytes, std::string& answer) {
  if (!is_kept()) return skip_body(bytes);
  const bool is_message = state_ == State::kMessages && !header_->command;
  const std::optional<std::string_view> body = collect(bytes, header_->size);
  if (!body) return Event::kNothing;
  std::optional<Event> event;
  if (is_message) {
    kept_bytes_ += header_->size;
    collected_.empty() ? message_.emplace_back(*body) : message_.emplace_back(std::exchange(collected_, {}));
    event = end_frame();
  } else if (state_ == State::kHandshake) {
    event = take_handshake(*body, answer);
  } else {
    answer_command(*body, answer);
  }
  header_.reset();
  collected_.clear();
  return event;
}

std::optional<Event> ZmtpReader::skip_body(std::string_view& bytes) {
  skipped_ += split_off(bytes, std::min(header_->size - skipped_, bytes.size()))->size();
  if (skipped_ < header_->size) return Event::kNothing;
  skipped_ = 0;
  const std::optional<Event> event = header_->command ? std::nullopt : end_frame();
  header_.reset();
  return event;
}

std::optional<Event> ZmtpReader::end_frame() {
  if (header_->more) return std::nullopt;
  message_bytes_ = kept_bytes_ = 0;
  return std::exchange(broke_a_limit_, false) ? Event::kTooLarge : Event::kMessage;
}

std::optional<Event> ZmtpReader::take_handshake(std::string_view body, std::string& answer) {
  if (has_commands_ != header_->command) return refuse("sent a message before its handshake was done", answer);
  if (!has_commands_) return take_identity(body, answer);
  const std::optional<std::string_view> name = split_off_name(body);
  if (name == "READY") return take_ready(body, answer);
  if (name == "ERROR") return refuse("refused the connection", answer);
  return refuse("sent another command than READY in its handshake", answer);
}

// Source: 37/ZMTP, property: a name with a length of one byte, a value with one of four. Names in any case.
std::optional<Event> ZmtpReader::take_ready(std::string_view properties, std::string& answer) {
  constexpr std::size_t kValueLengthBytes = 4;
  std::string_view identity;
  while (!properties.empty()) {
    const std::optional<std::string_view> name = split_off_name(properties);
    const std::optional<std::string_view> length = name ? split_off(properties, kValueLengthBytes) : std::nullopt;
    const std::optional<std::string_view> value = length ? split_off(properties, number_of(*length)) : std::nullopt;
    if (!value) return refuse("sent a READY whose properties can't be read", answer);
    if (equal_names(*name, "Socket-Type")) {
      if (std::string fault = type_fault(*value); !fault.empty()) return refuse(std::move(fault), answer);
    } else if (equal_names(*name, "Identity")) {
      identity = *value;
    }
  }
  return take_identity(identity, answer);
}

std::optional<Event> ZmtpReader::take_identity(std::string_view identity, std::string& answer) {
  if (identity.size() > kIdentityBytesMax) {
    return refuse(fmt::format("wants a routing id of {} bytes, more than {}", identity.size(), kIdentityBytesMax),
                  answer);
  }
  if (identity.starts_with('\0')) return refuse("wants a routing id that begins with a zero byte", answer);
  text_ = identity;
  state_ = State::kMessages;
  return Event::kReady;
}

Event ZmtpReader::refuse(std::string why, std::string& answer) {
  // Of a version that has commands: the reason.
  constexpr std::size_t kReasonBytesMax = 200;
  if (has_commands_) {
    const std::string reason = why.substr(0, kReasonBytesMax);
    append_command("ERROR", std::string(1, static_cast<char>(reason.size())) + reason, answer);
  }
  state_ = State::kRefused;
  text_ = std::move(why);
  message_.clear();
  return Event::kRefused;
}

}  // namespace compositord::wire
