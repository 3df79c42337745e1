#include "agent/sway/ipc_codec.h"

#include <array>

#include <fmt/format.h>

#include "common/base/check.h"

namespace compositord::agent::sway {

namespace {

constexpr std::string_view kMagic = "i3-ipc";

void append_u32(std::string& out, std::uint32_t number) {
  for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>((number >> shift) & 0xffU);
}

std::uint32_t read_u32(std::string_view bytes) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return number;
}

}  // namespace

std::string serialize_ipc(IpcType type, std::string_view payload) {
  CHECK(payload.size() <= kIpcPayloadBytesMax);
  std::string bytes(kMagic);
  append_u32(bytes, static_cast<std::uint32_t>(payload.size()));
  append_u32(bytes, static_cast<std::uint32_t>(type));
  bytes += payload;
  return bytes;
}

Result<std::optional<IpcMessage>> IpcParser::next() {
  const std::string_view rest = std::string_view(buffer_).substr(begin_);
  const std::string_view magic = rest.substr(0, kMagic.size());
  if (magic != kMagic.substr(0, magic.size())) {
    return fail(Status::kMalformed, "what came on sway's IPC socket is no i3-ipc message");
  }
  if (rest.size() < kIpcHeaderBytes) return std::nullopt;
  const std::size_t length = read_u32(rest.substr(6, 4));
  if (length > kIpcPayloadBytesMax) {
    return fail(Status::kTooLarge,
                fmt::format("an IPC message announces {} bytes, allowed are {}", length, kIpcPayloadBytesMax));
  }
  if (rest.size() < kIpcHeaderBytes + length) return std::nullopt;
  IpcMessage message{read_u32(rest.substr(10, 4)), std::string(rest.substr(kIpcHeaderBytes, length))};
  begin_ += kIpcHeaderBytes + length;
  if (begin_ == buffer_.size() || begin_ > kIpcPayloadBytesMax) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  return message;
}

}  // namespace compositord::agent::sway
