// Frames: short bytes in place, long ones elsewhere.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "common/wire/frames.h"

namespace compositord::wire {
namespace {

TEST(Frame, HoldsBytesOfAnyLength) {
  EXPECT_TRUE(Frame().empty());
  for (const std::size_t size : {0U, 1U, 38U, 39U, 40U, 41U, 5'000U}) {
    const std::string bytes(size, '\xff');
    const Frame from_string(bytes);
    const Frame from_view = std::string_view(bytes);
    EXPECT_EQ(from_string, bytes);
    EXPECT_EQ(from_view, from_string);
    EXPECT_EQ(from_string.size(), size);
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

TEST(Frame, ACopyHasBytesOfItsOwn) {
  Frame copy;
  {
    const Frame original(std::string(64, 'x'));
    copy = original;
    EXPECT_NE(copy.view().data(), original.view().data());
  }
  EXPECT_EQ(copy, std::string(64, 'x'));
}

// Under the address sanitizer: nothing is let go twice, or never.
TEST(Frame, ChangesBetweenShortAndLong) {
  Frames frames;
  for (int i = 0; i < 10; ++i) frames.emplace_back(std::string(i % 2 == 0 ? 5 : 50, static_cast<char>('a' + i)));
  frames.erase(frames.begin(), frames.begin() + 3);
  EXPECT_EQ(frames[0], std::string(50, 'd'));
  frames[0] = "short";
  frames[1] = std::string(100, 'y');
  frames[1] = std::move(frames[2]);
  EXPECT_EQ(frames[0], "short");
  EXPECT_EQ(frames[1], std::string(50, 'f'));
  EXPECT_TRUE(frames[2].empty());
  for (Frame& self : frames) {
    const std::string before = self.str();
    Frame& same = self;
    self = std::move(same);
    EXPECT_EQ(self, before);
  }
}

}  // namespace
}  // namespace compositord::wire
