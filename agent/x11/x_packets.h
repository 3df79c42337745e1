#pragma once
// Where one packet of an X server ends and the next begins, so that XCB is only ever given whole ones.
//
//   setup reply (the first)      bytes 0: 0 failed, 1 success, 2 authenticate   6-7: length of the rest, in 4-byte units
//   reply (byte 0 = 1)           32 bytes and 4 * (bytes 4-7) more
//   generic event (byte 0 = 35)  the same
//   error (0), other events      32 bytes
//
// Numbers are in the byte order that the setup request named: this machine's.
// Source: X Window System Protocol, chapters 1 and 8.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "agent/x11/x_authority.h"
#include "common/base/result.h"

namespace compositord::agent::x11 {

// The largest that we ask for is the list of an X server's modes, some KiB. What is larger is no answer to us.
inline constexpr std::size_t kXPacketBytesMax = 64U << 10U;

// What a client sends first.
std::string x_setup_request(const XCookie& cookie);

class PacketCutter {
 public:
  void append(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole packet, or none yet; the first is the setup reply. Errors: kTooLarge by the announced length, before
  // any of that packet is waited for; kForbidden with the server's words when it refuses us. After an error the stream
  // is of no more use.
  Result<std::optional<std::string>> next();

 private:
  std::string buffer_;
  std::size_t begin_ = 0;  // of the first packet not taken yet
  bool is_set_up_ = false;
};

}  // namespace compositord::agent::x11
