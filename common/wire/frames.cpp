#include "common/wire/frames.h"

#include <algorithm>

namespace compositord::wire {

namespace {

class OwnBytes final : public KeptBytes {
 public:
  explicit OwnBytes(std::string bytes) : own_(std::move(bytes)) { keep(own_); }

 private:
  std::string own_;
};

}  // namespace

Frame::Frame(std::string_view bytes) {
  bytes.size() <= kShortBytesMax ? put(bytes) : hold(std::make_unique<OwnBytes>(std::string(bytes)));
}

Frame::Frame(std::string bytes) {
  bytes.size() <= kShortBytesMax ? put(bytes) : hold(std::make_unique<OwnBytes>(std::move(bytes)));
}

void Frame::put(std::string_view bytes) noexcept {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  size_ = static_cast<std::uint8_t>(bytes.size());
}

void Frame::hold(std::unique_ptr<KeptBytes> kept) noexcept {
  void* address = kept.release();
  std::memcpy(bytes_.data(), &address, sizeof(address));
  size_ = kKept;
}

}  // namespace compositord::wire
