#include "broker/store/frames_blob.h"

#include "common/base/check.h"

namespace compositord::broker {

namespace {
constexpr std::size_t kLengthBytes = 4;
}

std::string blob_of(const wire::Frames& frames) {
  std::string blob;
  blob.reserve(wire::total_bytes(frames) + kLengthBytes * frames.size());
  for (const wire::Frame& frame : frames) {
    CHECK(frame.size() <= UINT32_MAX);
    for (std::size_t i = kLengthBytes; i > 0; --i) blob += static_cast<char>(frame.size() >> (8 * (i - 1)));
    blob += frame;
  }
  return blob;
}

std::optional<wire::Frames> frames_of(std::string_view blob) {
  wire::Frames frames;
  while (!blob.empty()) {
    if (blob.size() < kLengthBytes) return std::nullopt;
    std::size_t length = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i) length = (length << 8U) | static_cast<unsigned char>(blob[i]);
    blob.remove_prefix(kLengthBytes);
    if (blob.size() < length) return std::nullopt;
    frames.emplace_back(blob.substr(0, length));
    blob.remove_prefix(length);
  }
  return frames;
}

}  // namespace compositord::broker
