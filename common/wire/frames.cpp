#include "common/wire/frames.h"

#include <algorithm>

namespace compositord::wire {

Frame::Frame(std::string_view bytes) { bytes.size() <= kShortBytesMax ? put(bytes) : hold(std::string(bytes)); }

Frame::Frame(std::string bytes) { bytes.size() <= kShortBytesMax ? put(bytes) : hold(std::move(bytes)); }

void Frame::put(std::string_view bytes) noexcept {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  size_ = static_cast<std::uint8_t>(bytes.size());
}

void Frame::hold(std::string&& bytes) noexcept {
  static_assert(sizeof(std::string) <= kShortBytesMax);
  ::new (static_cast<void*>(bytes_.data())) std::string(std::move(bytes));
  size_ = kLong;
}

}  // namespace compositord::wire
