#pragma once
// CHECK is for programmer's errors only and stays on in Release. What a peer, a disk or a compositor does wrong is a
// Result, never a CHECK.

namespace compositord {
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
}  // namespace compositord

#define CHECK(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::compositord::check_failed(#condition, __FILE__, __LINE__))
