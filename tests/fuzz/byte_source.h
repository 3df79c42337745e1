#pragma once
// The fuzzer's bytes, read as a program. When they are used up, everything reads as zero and at_end() says so.

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/wire/frames.h"

namespace compositord::fuzz {

class ByteSource {
 public:
  ByteSource(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool at_end() const noexcept { return next_ == size_; }
  std::uint8_t u8();
  std::uint16_t u16();  // little-endian
  std::int64_t i64();   // little-endian
  // One byte of length, or 255 and two bytes of length, then as many bytes as there are.
  std::string bytes();
  // One byte of count, up to nine frames.
  wire::Frames frames();
  std::string rest();

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t next_ = 0;
};

}  // namespace compositord::fuzz
