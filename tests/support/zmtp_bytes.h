#pragma once
// What peers of each version of ZMTP send, byte by byte. Sources: 13/ZMTP (1.0), 15/ZMTP (2.0), 37/ZMTP (3.1).

#include <cstdint>
#include <string>
#include <string_view>

namespace compositord::test {

inline std::string zeros(std::size_t count) { return std::string(count, '\0'); }

inline std::string greeting_3(std::string_view mechanism = "NULL", char minor = 1) {
  std::string bytes = "\xff" + zeros(8) + "\x7f\x03" + minor + std::string(mechanism);
  bytes += zeros(12 + 20 - bytes.size());
  return bytes + zeros(1 + 31);
}

// Big end first.
inline std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes; i-- > 0;) text.push_back(static_cast<char>(value >> (8 * i) & 0xffU));
  return text;
}

inline std::string property(std::string_view name, std::string_view value) {
  return static_cast<char>(name.size()) + std::string(name) + number(value.size(), 4) + std::string(value);
}

// A frame of 2.0 and later, whatever its flags mean.
inline std::string frame(int flags, std::string_view body) {
  if (body.size() < 256) return static_cast<char>(flags) + (static_cast<char>(body.size()) + std::string(body));
  return static_cast<char>(flags | 2) + number(body.size(), 8) + std::string(body);
}

inline std::string command(std::string_view name, std::string_view data) {
  return frame(4, static_cast<char>(name.size()) + std::string(name) + std::string(data));
}

inline std::string ready_3(std::string_view type, std::string_view identity = "") {
  return command("READY", property("Socket-Type", type) + property("Identity", identity));
}

inline std::string hello_3(std::string_view type = "DEALER", std::string_view identity = "") {
  return greeting_3() + ready_3(type, identity);
}

// Socket types as 15/ZMTP numbers them.
inline constexpr char kSub = 2;
inline constexpr char kDealer = 5;

inline std::string hello_2(std::string_view identity = "", char type = kDealer) {
  return "\xff" + zeros(7) + "\x01\x7f\x01" + type + frame(0, identity);
}

inline std::string frame_1(bool more, std::string_view body) {
  const std::size_t length = body.size() + 1;
  const std::string size = length < 255 ? number(length, 1) : "\xff" + number(length, 8);
  return size + (more ? '\x01' : '\0') + std::string(body);
}

inline std::string hello_1(std::string_view identity = "") { return frame_1(false, identity); }

}  // namespace compositord::test
