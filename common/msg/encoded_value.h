#pragma once
// A value that is encoded once and then goes into many messages: the manifest of a compositor, which does not change while
// the facts beside it do. Kept as MessagePack, because that is a tenth of what the tree of Values takes.

#include <memory>
#include <optional>
#include <string>

#include "common/msg/value.h"

namespace compositord::msg {

// Thread rule: one thread at a time, also for reading.
class EncodedValue {
 public:
  // Takes one whole MessagePack value.
  explicit EncodedValue(std::string msgpack) noexcept : msgpack_(std::move(msgpack)) {}
  const std::string& msgpack() const noexcept { return msgpack_; }
  const std::string& json() const;  // made at its first use, then kept
  Value decode() const;             // null when the bytes are none

 private:
  std::string msgpack_;
  mutable std::optional<std::string> json_;
};

// An entry of a result that is encoded already.
struct EncodedEntry {
  std::string key;
  std::shared_ptr<const EncodedValue> value;
};

// The encoded map with the entry behind its others. It must have less than 15 entries, and none of that key.
std::string msgpack_with(std::string map, const EncodedEntry& entry);
std::string json_with(std::string map, const EncodedEntry& entry);

}  // namespace compositord::msg
