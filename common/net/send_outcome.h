#pragma once
// What became of a message that was to be sent.

#include <cstdint>

namespace compositord::net {

enum class SendOutcome : std::uint8_t {
  kSent,         // it is on its way; not yet proof of arrival
  kUnreachable,  // no connection with that routing id
  kFull,         // the peer's queue is full: it does not read
  kFailed,       // anything else
};

}  // namespace compositord::net
