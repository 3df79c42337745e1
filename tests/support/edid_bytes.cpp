#include "tests/support/edid_bytes.h"

namespace compositord::test {

namespace {

void put_text(std::string& bytes, std::size_t at, char kind, const std::string& text) {
  if (text.empty()) return;
  bytes.replace(at, 5, std::string("\0\0\0", 3) + kind + '\0');
  std::string padded = text.substr(0, 13);
  if (padded.size() < 13) padded += '\n';
  padded.resize(13, ' ');
  bytes.replace(at + 5, 13, padded);
}

}  // namespace

std::string edid_bytes(const EdidFields& fields) {
  std::string bytes(128, '\0');
  bytes.replace(0, 8, std::string("\x00\xff\xff\xff\xff\xff\xff\x00", 8));
  unsigned maker = 0;
  for (const char letter : fields.make) maker = (maker << 5U) | static_cast<unsigned>(letter - 'A' + 1);
  bytes[8] = static_cast<char>(maker >> 8U);
  bytes[9] = static_cast<char>(maker & 0xffU);
  bytes[10] = static_cast<char>(fields.product & 0xffU);
  bytes[11] = static_cast<char>(fields.product >> 8U);
  for (unsigned i = 0; i < 4; ++i) bytes[12 + i] = static_cast<char>((fields.serial >> (8 * i)) & 0xffU);
  put_text(bytes, 72, '\xfc', fields.name);
  put_text(bytes, 108, '\xff', fields.serial_text);
  return with_checksum(bytes);
}

std::string with_checksum(std::string bytes) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < 127; ++i) sum += static_cast<unsigned char>(bytes[i]);
  bytes[127] = static_cast<char>((256 - sum % 256) % 256);
  return bytes;
}

}  // namespace compositord::test
