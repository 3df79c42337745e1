#include "common/net/send_queue.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace compositord::net {

namespace {

// A frame from this size on is cheaper to keep than to copy.
constexpr std::size_t kKeptBytesMin = 16U << 10U;
// Bytes of one part, so that what is written is given back while the rest waits.
constexpr std::size_t kPartBytesMax = 64U << 10U;
// What an idle connection may keep to write into.
constexpr std::size_t kIdleBytesMax = 4U << 10U;
constexpr std::size_t kIdlePartsMax = 8;
constexpr std::size_t kPiecesMax = 64;

}  // namespace

bool SendQueue::is_roomy() const noexcept {
  return parts_.capacity() > kIdlePartsMax || (!parts_.empty() && parts_.front().bytes.capacity() > kIdleBytesMax);
}

void SendQueue::shrink() {
  if (bytes_ == 0) parts_ = std::vector<Part>();
}

SendQueue::Part& SendQueue::open_part() {
  const bool closed = parts_.empty() || parts_.back().bytes.size() >= kPartBytesMax || !parts_.back().frame.empty();
  return closed ? parts_.emplace_back() : parts_.back();
}

void SendQueue::add_bytes(std::string_view bytes) {
  open_part().bytes += bytes;
  bytes_ += bytes.size();
}

void SendQueue::add_message(wire::ZmtpFraming framing, wire::Frames&& frames) {
  if (frames.empty()) return;  // no message
  for (std::size_t i = 0; i < frames.size(); ++i) {
    Part& part = open_part();
    const std::size_t before = part.size();
    wire::append_frame_header(framing, frames[i].size(), i + 1 < frames.size(), part.bytes);
    if (frames[i].size() < kKeptBytesMin) {
      part.bytes += frames[i].view();
    } else {
      part.frame = std::move(frames[i]);
    }
    bytes_ += part.size() - before;
  }
  ++parts_.back().messages;
  ++messages_;
}

SendQueue::Outcome SendQueue::write_to(int fd) {
  while (bytes_ > 0) {
    std::array<iovec, kPiecesMax> pieces{};
    std::size_t count = 0;
    std::size_t skip = written_;
    // sendmsg(2) only reads what it is told to send.
    const auto add = [&](std::string_view bytes) {
      const std::size_t skipped = std::min(skip, bytes.size());
      skip -= skipped;
      bytes.remove_prefix(skipped);
      if (!bytes.empty()) pieces.at(count++) = {const_cast<char*>(bytes.data()), bytes.size()};
    };
    for (std::size_t i = first_; i < parts_.size() && count + 2 <= kPiecesMax; ++i) {
      add(parts_[i].bytes);
      add(parts_[i].frame.view());
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      const bool for_now = errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM;
      return for_now ? Outcome::kBlocked : Outcome::kBroken;
    }
    drop_written(static_cast<std::size_t>(sent));
  }
  return Outcome::kEmpty;
}

void SendQueue::drop_written(std::size_t count) {
  bytes_ -= count;
  if (bytes_ == 0) {
    // The first one's memory is what the next message needs.
    if (parts_.size() > 1) parts_.resize(1);
    parts_.front().bytes.clear();
    parts_.front().frame = {};
    parts_.front().messages = messages_ = first_ = written_ = 0;
    return;
  }
  written_ += count;
  while (written_ >= parts_[first_].size()) {
    Part& done = parts_[first_++];
    written_ -= done.size();
    messages_ -= done.messages;
    std::string().swap(done.bytes);  // an assignment would keep the room
    done.frame = {};
  }
  // Those that are done are removed when they are many, so that each is moved about once.
  constexpr std::size_t kDoneMax = 32;
  if (first_ < kDoneMax || first_ < parts_.size() / 2) return;
  parts_.erase(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(first_));
  first_ = 0;
}

}  // namespace compositord::net
