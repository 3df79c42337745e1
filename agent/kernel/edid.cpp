#include "agent/kernel/edid.h"

#include <cstdint>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent {

namespace {

constexpr std::size_t kBlockBytes = 128;
constexpr std::size_t kDescriptorsBegin = 54;
constexpr std::size_t kDescriptorBytes = 18;
constexpr std::size_t kTextOffset = 5;
constexpr std::string_view kHeader("\x00\xff\xff\xff\xff\xff\xff\x00", 8);

std::uint32_t byte_at(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

std::uint32_t little_endian(std::string_view bytes, std::size_t offset, std::size_t count) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < count; ++i) number |= byte_at(bytes, offset + i) << (8 * i);
  return number;
}

// Empty when a letter is none: then the maker didn't care.
std::string maker(std::string_view bytes) {
  const std::uint32_t packed = (byte_at(bytes, 8) << 8U) | byte_at(bytes, 9);
  std::string letters;
  for (const unsigned shift : {10U, 5U, 0U}) {
    const std::uint32_t letter = (packed >> shift) & 0x1fU;
    if (letter < 1 || letter > 26) return {};
    letters += static_cast<char>('A' + letter - 1);
  }
  return letters;
}

// The text of the first descriptor of this kind; it ends with a line feed and is filled up with spaces.
std::string descriptor_text(std::string_view bytes, unsigned char kind) {
  const char wanted[] = {0, 0, 0, static_cast<char>(kind)};
  for (std::size_t at = kDescriptorsBegin; at + kDescriptorBytes < kBlockBytes; at += kDescriptorBytes) {
    const std::string_view descriptor = bytes.substr(at, kDescriptorBytes);
    if (!descriptor.starts_with(std::string_view(wanted, sizeof wanted))) continue;
    std::string_view text = descriptor.substr(kTextOffset);
    text = text.substr(0, text.find('\n'));
    const std::size_t last = text.find_last_not_of(std::string_view(" \0", 2));
    return escape_for_log(text.substr(0, last == std::string_view::npos ? 0 : last + 1));
  }
  return {};
}

}  // namespace

Result<Edid> parse_edid(std::string_view bytes) {
  if (bytes.size() > kEdidBytesMax) {
    return fail(Status::kTooLarge, fmt::format("an EDID of more than {} bytes", kEdidBytesMax));
  }
  if (bytes.size() < kBlockBytes) {
    return fail(Status::kMalformed, fmt::format("an EDID of {} bytes; {} is the least", bytes.size(), kBlockBytes));
  }
  if (!bytes.starts_with(kHeader)) return fail(Status::kMalformed, "an EDID that does not begin as one");
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < kBlockBytes; ++i) sum += byte_at(bytes, i);
  if (sum % 256 != 0) return fail(Status::kMalformed, "an EDID whose checksum is wrong: it was damaged on its way");

  Edid edid;
  edid.make = maker(bytes);
  edid.model = descriptor_text(bytes, 0xfc);
  if (edid.model.empty()) edid.model = fmt::format("0x{:04X}", little_endian(bytes, 10, 2));
  edid.serial = descriptor_text(bytes, 0xff);
  const std::uint32_t number = little_endian(bytes, 12, 4);
  if (edid.serial.empty() && number != 0) edid.serial = fmt::format("0x{:08X}", number);
  return edid;
}

}  // namespace compositord::agent
