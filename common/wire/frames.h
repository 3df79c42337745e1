#pragma once
// A ZeroMQ message as the cores see it: its frames, as bytes. No sockets here.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/strong_type.h"

namespace compositord::wire {

// One frame: bytes that do not change any more. Short ones are in the frame itself, as most are on this bus: a message is taken
// apart and put together again by moving its frames. A copy has bytes of its own.
class Frame {
 public:
  static constexpr std::size_t kShortBytesMax = 39;

  Frame() noexcept = default;
  // A frame is bytes, whoever has them: lists of frames are written as lists of texts, and read as such.
  // NOLINTBEGIN(google-explicit-constructor)
  Frame(std::string_view bytes);
  Frame(const char* text) : Frame(std::string_view(text)) {}
  Frame(std::string bytes);
  operator std::string_view() const noexcept { return view(); }
  // NOLINTEND(google-explicit-constructor)
  Frame(Frame&& other) noexcept { take(other); }
  Frame& operator=(Frame&& other) noexcept {
    if (this == &other) return *this;
    release();
    take(other);
    return *this;
  }
  Frame(const Frame& other) : Frame(other.view()) {}
  Frame& operator=(const Frame& other) { return *this = Frame(other); }
  ~Frame() { release(); }

  std::string_view view() const noexcept {
    return is_long() ? std::string_view(text()) : std::string_view(bytes_.data(), size_);
  }
  std::string str() const { return std::string(view()); }

  std::size_t size() const noexcept { return view().size(); }
  bool empty() const noexcept { return size_ == 0; }
  char operator[](std::size_t i) const noexcept { return view()[i]; }
  bool starts_with(std::string_view prefix) const noexcept { return view().starts_with(prefix); }
  friend bool operator==(const Frame& a, const Frame& b) noexcept { return a.view() == b.view(); }
  friend bool operator==(const Frame& a, std::string_view b) noexcept { return a.view() == b; }
  friend bool operator==(const Frame& a, const char* b) noexcept { return a.view() == b; }
  friend bool operator==(const Frame& a, const std::string& b) noexcept { return a.view() == b; }

 private:
  static constexpr std::uint8_t kLong = 0xff;
  bool is_long() const noexcept { return size_ == kLong; }
  // Of a long one.
  std::string& text() noexcept { return *std::launder(reinterpret_cast<std::string*>(bytes_.data())); }
  const std::string& text() const noexcept {
    return *std::launder(reinterpret_cast<const std::string*>(bytes_.data()));
  }
  void put(std::string_view bytes) noexcept;
  void hold(std::string&& bytes) noexcept;
  void take(Frame& other) noexcept {
    if (other.is_long()) {
      hold(std::move(other.text()));
      other.release();
    } else {
      bytes_ = other.bytes_;
      size_ = std::exchange(other.size_, std::uint8_t{0});
    }
  }
  void release() noexcept {
    if (is_long()) std::destroy_at(&text());
    size_ = 0;
  }

  alignas(std::string) std::array<char, kShortBytesMax> bytes_{};  // or, in its first bytes, a string
  std::uint8_t size_ = 0;                                          // or kLong
};

using Frames = std::vector<Frame>;

// The address that a ROUTER socket gives to a connection. Opaque bytes, new for each connection.
using RoutingId = StrongType<std::string, struct RoutingIdTag>;

// What a message that is received may have.
struct MessageLimits {
  std::size_t frames_per_message_max = 64;         // a message of more is read to its end and thrown away
  std::size_t bytes_per_frame_max = 8U << 20U;     // a larger one ends the connection
  std::size_t bytes_per_message_max = 64U << 20U;  // as frames_per_message_max
};

inline std::size_t total_bytes(const Frames& frames) {
  return std::accumulate(frames.begin(), frames.end(), std::size_t{0},
                         [](std::size_t sum, const Frame& f) { return sum + f.size(); });
}

// What limits count of a message that is kept: an empty frame takes memory, too.
inline std::size_t held_bytes(const Frames& frames) { return total_bytes(frames) + frames.size() * sizeof(Frame); }

}  // namespace compositord::wire
