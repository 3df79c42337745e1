#include "agent/x11/x_packets.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent::x11 {

namespace {

constexpr std::size_t kSetupHeaderBytes = 8;
constexpr std::size_t kPacketBytes = 32;

template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
  Number number{};
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

template <class Number>
void append_number(std::string& bytes, Number number) {
  const std::size_t at = bytes.size();
  bytes.resize(at + sizeof number);
  std::memcpy(bytes.data() + at, &number, sizeof number);
}

void append_padded(std::string& bytes, const std::string& text) {
  bytes += text;
  bytes.append((4 - text.size() % 4) % 4, '\0');
}

std::size_t setup_bytes(std::string_view header) {
  return kSetupHeaderBytes + 4 * std::size_t{number_at<std::uint16_t>(header, 6)};
}

std::size_t packet_bytes(std::string_view header) {
  constexpr unsigned kReply = 1;
  constexpr unsigned kGenericEvent = 35;
  const unsigned kind = static_cast<unsigned char>(header[0]) & 0x7fU;
  if (kind != kReply && kind != kGenericEvent) return kPacketBytes;
  return kPacketBytes + 4 * std::size_t{number_at<std::uint32_t>(header, 4)};
}

// The server's reason is its second byte long, or fills the packet when it wants another way of authentication.
std::string refusal(std::string_view packet) {
  std::string_view reason = packet.substr(kSetupHeaderBytes);
  if (packet[0] == 0) reason = reason.substr(0, static_cast<unsigned char>(packet[1]));
  while (!reason.empty() && (reason.back() == '\0' || reason.back() == '\n')) reason.remove_suffix(1);
  return fmt::format("the X server refuses us: {}; run the agent as the display's user, or set XAUTHORITY",
                     escape_for_log(std::string(reason), 200));
}

}  // namespace

std::string x_setup_request(const XCookie& cookie) {
  std::string request;
  request += std::endian::native == std::endian::little ? 'l' : 'B';
  request += '\0';
  append_number<std::uint16_t>(request, 11);  // the protocol's version
  append_number<std::uint16_t>(request, 0);
  append_number(request, static_cast<std::uint16_t>(cookie.name.size()));
  append_number(request, static_cast<std::uint16_t>(cookie.data.size()));
  append_number<std::uint16_t>(request, 0);
  append_padded(request, cookie.name);
  append_padded(request, cookie.data);
  return request;
}

Result<std::optional<std::string>> PacketCutter::next() {
  const std::string_view rest = std::string_view(buffer_).substr(begin_);
  const std::size_t header_bytes = is_set_up_ ? kPacketBytes : kSetupHeaderBytes;
  const std::size_t bytes =
      rest.size() < header_bytes ? header_bytes : (is_set_up_ ? packet_bytes(rest) : setup_bytes(rest));
  if (bytes > kXPacketBytesMax) {
    return fail(Status::kTooLarge,
                fmt::format("the X server sent a packet of {} bytes, allowed are {}", bytes, kXPacketBytesMax));
  }
  if (rest.size() < bytes) {
    buffer_.erase(0, begin_);
    begin_ = 0;
    return std::nullopt;
  }
  std::string packet(rest.substr(0, bytes));
  begin_ += bytes;
  if (is_set_up_) return packet;
  if (packet[0] != 1) return fail(Status::kForbidden, refusal(packet));
  is_set_up_ = true;
  return packet;
}

}  // namespace compositord::agent::x11
