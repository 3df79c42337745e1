#pragma once
// What an X server says of itself in its setup reply.

#include <cstdint>
#include <string>
#include <string_view>

namespace compositord::agent::x11 {

// "21.1.7" of the X.Org Foundation's 12101007; other vendors count as they like, theirs is left as a number.
std::string server_version(std::string_view vendor, std::uint32_t release);

}  // namespace compositord::agent::x11
