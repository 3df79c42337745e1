#pragma once
// Messages of the i3/sway IPC.
//
//   offset  bytes
//   0       6      "i3-ipc"
//   6       4      payload length   \ both in the byte order of the machine,
//   10      4      type             / little-endian on everything we run on; events have the top bit set
//   14      n      payload, JSON or a command line
//
// Source: sway-ipc(7) "MESSAGE AND REPLY FORMAT".

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace compositord::agent::sway {

enum class IpcType : std::uint32_t {
  kRunCommand = 0,
  kSubscribe = 2,
  kGetOutputs = 3,
  kGetVersion = 7,
  kGetInputs = 100,
};

inline constexpr std::size_t kIpcHeaderBytes = 14;
inline constexpr std::uint32_t kIpcEventBit = 0x80000000U;
// A desk with hundreds of windows has trees of some hundred KiB; beyond this it is no answer but an attack.
inline constexpr std::size_t kIpcPayloadBytesMax = 16U << 20U;

struct IpcMessage {
  std::uint32_t type = 0;
  std::string payload;
  bool is_event() const noexcept { return (type & kIpcEventBit) != 0; }
};

// The payload must not exceed kIpcPayloadBytesMax.
std::string serialize_ipc(IpcType type, std::string_view payload);

// Cuts a stream of bytes into messages. After an error it stays in error: the stream has lost its frame.
class IpcParser {
 public:
  void append(std::string_view bytes) { buffer_.append(bytes); }
  // The next complete message, or none yet. Errors: kMalformed without the magic, kTooLarge by the announced length,
  // before any of that payload is waited for.
  Result<std::optional<IpcMessage>> next();

 private:
  std::string buffer_;
  std::size_t begin_ = 0;  // of the first message not taken yet
};

}  // namespace compositord::agent::sway
