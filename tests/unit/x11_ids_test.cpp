// The resource ids of a connection to an X server, however few it allows.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "agent/x11/x_ids.h"

namespace compositord::agent::x11 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::uint32_t> take_all(XIds& ids) {
  std::vector<std::uint32_t> taken;
  while (const auto id = ids.take()) taken.push_back(*id);
  return taken;
}

TEST(XIds, AreTheBaseWithBitsOfTheMask) {
  XIds ids(0x40'0000, 0x3);
  EXPECT_THAT(take_all(ids), ElementsAre(0x40'0001, 0x40'0002, 0x40'0003));
  XIds shifted(0x40'0000, 0x30);
  EXPECT_THAT(take_all(shifted), ElementsAre(0x40'0010, 0x40'0020, 0x40'0030));
}

TEST(XIds, AreNoMoreThanTheServerAllows) {
  XIds none;
  EXPECT_THAT(take_all(none), IsEmpty());
  XIds nothing(0x40'0000, 0);
  EXPECT_THAT(take_all(nothing), IsEmpty());
  XIds one(0, 0x8000'0000);
  EXPECT_THAT(take_all(one), ElementsAre(0x8000'0000));
  XIds torn(0x40'0000, 0xf0'0003);  // no server's
  EXPECT_THAT(take_all(torn), ElementsAre(0x40'0001, 0x40'0002, 0x40'0003));
  XIds all(0, 0xffff'ffff);
  EXPECT_EQ(all.take(), 1U);
}

TEST(XIds, ComeAgainWhenTheyWereGivenBackTheOldestFirst) {
  XIds ids(0x40'0000, 0x3);
  take_all(ids);
  ids.give_back(0x40'0002);
  ids.give_back(0x40'0001);
  EXPECT_THAT(take_all(ids), ElementsAre(0x40'0002, 0x40'0001));
  EXPECT_FALSE(ids.take());
}

TEST(XIds, RestBeforeTheyComeAgain) {
  XIds ids(0x40'0000, 0x1f'ffff);
  std::set<std::uint32_t> seen;
  for (std::size_t i = 0; i <= XIds::kRestingMax; ++i) {
    const auto id = ids.take();
    ASSERT_TRUE(id);
    EXPECT_TRUE(seen.insert(*id).second) << *id << " came again too early";
    ids.give_back(*id);
  }
  EXPECT_EQ(ids.take(), 0x40'0001U) << "the first has rested";
}

// A server allows two million; a screenshot takes two.
TEST(XIds, LastForAnyNumberOfCommands) {
  XIds ids(0x40'0000, 0x1f'ffff);
  std::uint32_t largest = 0;
  for (int i = 0; i < 3'000'000; ++i) {
    const auto id = ids.take();
    ASSERT_TRUE(id) << i;
    largest = std::max(largest, *id);
    ids.give_back(*id);
  }
  EXPECT_LE(largest, 0x40'0000 + XIds::kRestingMax + 1);
}

}  // namespace
}  // namespace compositord::agent::x11
