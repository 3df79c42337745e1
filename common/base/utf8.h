#pragma once
// Well-formed UTF-8, as RFC 3629 section 4 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF.

#include <cstddef>
#include <string>
#include <string_view>

namespace compositord {

// The length in bytes of the character at the front of `text`, which must not be empty; 0 when there is none.
std::size_t utf8_length(std::string_view text) noexcept;
bool is_utf8(std::string_view text) noexcept;
// Every byte that belongs to no character becomes U+FFFD.
std::string to_utf8(std::string_view text);

}  // namespace compositord
