#pragma once
// EDIDs of monitors that nobody makes, for tests.

#include <cstdint>
#include <string>

namespace compositord::test {

struct EdidFields {
  std::string make = "ACM";
  std::uint16_t product = 0xA0B1;
  std::uint32_t serial = 42;
  std::string name = "ACME Wall 55";
  std::string serial_text;
};

// 128 bytes with a right checksum.
std::string edid_bytes(const EdidFields& fields);
// The same bytes, with the checksum made right again.
std::string with_checksum(std::string bytes);

}  // namespace compositord::test
