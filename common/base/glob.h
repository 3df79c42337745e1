#pragma once
// Patterns for names: `*` is any number of bytes, also none and also '/', `?` is exactly one; all else is itself.

#include <string_view>

namespace compositord {

// Whether the whole of `text` matches. Needs time O(pattern × text) at most, whatever a peer sends.
bool glob_matches(std::string_view pattern, std::string_view text) noexcept;

}  // namespace compositord
