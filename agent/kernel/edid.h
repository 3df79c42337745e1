#pragma once
// Which monitor is at the end of a cable: its identity in its EDID.
//
//   offset  bytes
//   0       8      00 FF FF FF FF FF FF 00
//   8       2      maker, three letters of five bits, big-endian
//   10      2      product code, little-endian
//   12      4      serial number, little-endian; 0 when there is none
//   54      4×18   descriptors; 00 00 00 FC: the model's name, 00 00 00 FF: the serial number as text
//   127     1      makes the sum of the 128 bytes 0
//
// Source: VESA E-EDID 1.4, sections 3.3, 3.4 and 3.10.3.

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace compositord::agent {

struct Edid {
  std::string make;    // the maker's letters in the PNP registry, "DEL"
  std::string model;   // "DELL U2720Q", else the product code, "0xA0B1"
  std::string serial;  // as text, else the number, "0x0000002A"; empty when there is none
  friend bool operator==(const Edid&, const Edid&) = default;
};

// The most that the block count can say: 255 extensions.
inline constexpr std::size_t kEdidBytesMax = std::size_t{256} * 128;

// The first 128 bytes tell it all; extensions are not looked at. Errors: kMalformed, kTooLarge.
Result<Edid> parse_edid(std::string_view bytes);

}  // namespace compositord::agent
