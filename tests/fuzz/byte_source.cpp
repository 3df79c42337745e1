#include "tests/fuzz/byte_source.h"

#include <algorithm>

namespace compositord::fuzz {

std::uint8_t ByteSource::u8() { return at_end() ? std::uint8_t{0} : data_[next_++]; }

std::uint16_t ByteSource::u16() {
  const unsigned low = u8();
  return static_cast<std::uint16_t>(low | (static_cast<unsigned>(u8()) << 8U));
}

std::int64_t ByteSource::i64() {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i) value |= std::uint64_t{u8()} << (8 * i);
  return static_cast<std::int64_t>(value);
}

std::string ByteSource::bytes() {
  std::size_t length = u8();
  if (length == 255) length = u16();
  length = std::min(length, size_ - next_);
  const std::string out(reinterpret_cast<const char*>(data_ + next_), length);
  next_ += length;
  return out;
}

wire::Frames ByteSource::frames() {
  wire::Frames out(u8() % 10);
  for (wire::Frame& frame : out) frame = bytes();
  return out;
}

std::string ByteSource::rest() {
  const std::string out(reinterpret_cast<const char*>(data_ + next_), size_ - next_);
  next_ = size_;
  return out;
}

}  // namespace compositord::fuzz
