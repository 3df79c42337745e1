#pragma once
// One text out of encoded MessagePack, without decoding the rest: for whoever has ten thousand manifests and wants their names.

#include <optional>
#include <string>
#include <string_view>

namespace compositord::msg {

// The string under `key` of the map that `bytes` are. Nothing when it is no string, or missing, or the bytes end too early or
// are no MessagePack as far as they were looked at. Source: github.com/msgpack/msgpack/blob/master/spec.md "Formats".
std::optional<std::string> peek_text(std::string_view bytes, std::string_view key);

}  // namespace compositord::msg
