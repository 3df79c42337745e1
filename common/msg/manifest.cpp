#include "common/msg/manifest.h"

#include <sodium/crypto_generichash.h>

#include <array>

#include <fmt/format.h>

namespace compositord::msg {

std::string content_hash(const Value& value) { return content_hash_of(encode_canonical(value)); }

std::string content_hash_of(std::string_view bytes) {
  std::array<unsigned char, 16> digest{};
  crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                     nullptr, 0);
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

}  // namespace compositord::msg
