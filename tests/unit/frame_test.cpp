// Frames: short bytes in place, long ones kept elsewhere.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "common/wire/frames.h"

namespace compositord::wire {
namespace {

// Bytes of somebody else, who sees when they are let go.
class Lent final : public KeptBytes {
 public:
  Lent(std::string bytes, int& alive) : bytes_(std::move(bytes)), alive_(alive) {
    keep(bytes_);
    ++alive_;
  }
  ~Lent() override { --alive_; }

 private:
  std::string bytes_;
  int& alive_;
};

TEST(Frame, HoldsBytesOfAnyLength) {
  EXPECT_TRUE(Frame().empty());
  for (const std::size_t size : {0U, 1U, 38U, 39U, 40U, 41U, 5'000U}) {
    const std::string bytes(size, '\xff');
    const Frame from_string(bytes);
    const Frame from_view = std::string_view(bytes);
    EXPECT_EQ(from_string, bytes);
    EXPECT_EQ(from_view, from_string);
    EXPECT_EQ(from_string.size(), size);
    EXPECT_EQ(from_string.kept() == nullptr, size <= Frame::kShortBytesMax);
  }
}

TEST(Frame, KeepsZeroBytes) {
  const std::string bytes("\0a\0", 3);
  EXPECT_EQ(Frame(bytes).str(), bytes);
  EXPECT_FALSE(Frame(bytes) == Frame("a"));
}

TEST(Frame, MovesAndLeavesNothing) {
  for (const std::string& bytes : {std::string("short"), std::string(100, 'l')}) {
    Frames from{bytes};
    Frame to(std::move(from.front()));
    EXPECT_EQ(to, bytes);
    EXPECT_TRUE(from.front().empty());
    Frame third("to be overwritten, and long enough to be kept somewhere else");
    third = std::move(to);
    EXPECT_EQ(third, bytes);
  }
}

TEST(Frame, CopiesBytesAndNotTheirKeeper) {
  int alive = 0;
  Frame copy;
  {
    const Frame lent(std::make_unique<Lent>(std::string(64, 'x'), alive));
    copy = lent;
    EXPECT_EQ(alive, 1);
    EXPECT_NE(copy.view().data(), lent.view().data());
  }
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(copy, std::string(64, 'x'));
}

TEST(Frame, LetsItsKeeperGoOnce) {
  int alive = 0;
  {
    Frames frames;
    for (int i = 0; i < 10; ++i) frames.emplace_back(std::make_unique<Lent>("kept though it is short", alive));
    frames.erase(frames.begin(), frames.begin() + 3);
    EXPECT_EQ(alive, 7);
    frames[0] = "something else";
    EXPECT_EQ(alive, 6);
    Frame& self = frames[1];
    self = std::move(frames[1]);
    EXPECT_EQ(self, "kept though it is short");
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace compositord::wire
