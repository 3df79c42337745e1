// What Mutter's layouts become when single outputs change.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/mutter/layout.h"

namespace compositord::agent::mutter {
namespace {

using ::testing::HasSubstr;

Monitor monitor(const std::string& name, std::uint32_t width, std::uint32_t height,
                const std::vector<double>& scales = {1, 2}) {
  const MonitorMode large{"large", {width, height, 60'000, true}, true, 1.0, scales};
  const MonitorMode small{"small", {width / 2, height / 2, 60'000, false}, false, 1.0, {1}};
  return {name, "V", "P", "S", "", {large, small}};
}

LogicalMonitor logical(std::int32_t x, std::int32_t y, std::vector<std::string> names, bool primary = false) {
  LogicalMonitor place;
  place.x = x;
  place.y = y;
  place.primary = primary;
  place.connectors = std::move(names);
  return place;
}

// A (1920x1080, primary) and B (1280x720) side by side; C is off.
DisplayState side_by_side() {
  return {7,
          {monitor("A", 1920, 1080), monitor("B", 1280, 720), monitor("C", 800, 600)},
          {logical(0, 0, {"A"}, true), logical(1920, 0, {"B"})},
          false};
}

HeadChange change(const std::string& name) {
  HeadChange wish;
  wish.name = name;
  return wish;
}

const Place& place_of(const std::vector<Place>& places, const std::string& name) {
  for (const Place& place : places) {
    for (const auto& m : place.monitors) {
      if (m.first == name) return place;
    }
  }
  static const Place none{-1, -1, 0, 0, 0, msg::Transform::k0, false, {}};
  return none;
}

TEST(MutterLayout, WithoutAChangeIsAsItWas) {
  const auto places = lay_out(side_by_side(), {});
  ASSERT_TRUE(places);
  ASSERT_EQ(places->size(), 2U);
  EXPECT_EQ(places->at(1).x, 1920);
  EXPECT_EQ(places->at(1).width, 1280);
  EXPECT_TRUE(is_acceptable(*places));
}

TEST(MutterLayout, ClosesTheGapOfAnOutputThatGoesAndFindsANewPrimaryOne) {
  HeadChange off = change("A");
  off.enabled = false;
  const auto places = lay_out(side_by_side(), {off});
  ASSERT_TRUE(places);
  ASSERT_EQ(places->size(), 1U);
  EXPECT_EQ(places->front().x, 0);
  EXPECT_TRUE(places->front().primary);
}

TEST(MutterLayout, ClosesTheGapInTheMiddleOfARow) {
  DisplayState state = side_by_side();
  state.logical_monitors.push_back(logical(3200, 0, {"C"}));
  HeadChange off = change("B");
  off.enabled = false;
  const auto places = lay_out(state, {off});
  ASSERT_TRUE(places);
  EXPECT_EQ(place_of(*places, "C").x, 1920);
  EXPECT_TRUE(is_acceptable(*places));
}

TEST(MutterLayout, MovesNobodyWhereThereIsNoNeed) {
  DisplayState state = side_by_side();
  state.logical_monitors.push_back(logical(0, 1080, {"C"}));
  HeadChange off = change("B");
  off.enabled = false;
  const auto places = lay_out(state, {off});
  ASSERT_TRUE(places);
  EXPECT_EQ(place_of(*places, "C").y, 1080);
}

TEST(MutterLayout, PutsAnOutputThatComesToTheRightEnd) {
  const auto places = lay_out(side_by_side(), {change("C")});
  ASSERT_TRUE(places);
  EXPECT_EQ(place_of(*places, "C").x, 3200);
  EXPECT_TRUE(is_acceptable(*places));
}

TEST(MutterLayout, KeepsNeighboursBesideAnOutputThatTurns) {
  HeadChange turn = change("A");
  turn.transform = msg::Transform::kFlipped90;
  const auto places = lay_out(side_by_side(), {turn});
  ASSERT_TRUE(places);
  EXPECT_EQ(place_of(*places, "A").width, 1080);
  EXPECT_EQ(place_of(*places, "B").x, 1080);
  EXPECT_TRUE(is_acceptable(*places));
}

TEST(MutterLayout, CountsScalesOnlyWherePositionsAreLogical) {
  HeadChange scale = change("A");
  scale.scale = 2.0;
  EXPECT_EQ(place_of(*lay_out(side_by_side(), {scale}), "B").x, 1920);
  DisplayState state = side_by_side();
  state.positions_are_logical = true;
  EXPECT_EQ(place_of(*lay_out(state, {scale}), "B").x, 960);
}

TEST(MutterLayout, RefusesAScaleThatTheModeDoesNotTakeWithThoseItTakes) {
  HeadChange scale = change("A");
  scale.scale = 1.5;
  const auto places = lay_out(side_by_side(), {scale});
  ASSERT_FALSE(places);
  EXPECT_EQ(places.error().text, "A at large can't have the scale 1.5; it can have 1, 2");
}

TEST(MutterLayout, TakesAScaleAsMuttersListSpellsIt) {
  DisplayState state = side_by_side();
  state.monitors[0].modes[0].scales = {1, 1.3333333730697632};
  HeadChange scale = change("A");
  scale.scale = 1.333;
  const auto places = lay_out(state, {scale});
  ASSERT_TRUE(places) << places.error().text;
  EXPECT_EQ(place_of(*places, "A").scale, 1.3333333730697632);
}

TEST(MutterLayout, TakesAModeOfTheListAndRefusesOthers) {
  HeadChange smaller = change("A");
  smaller.mode = msg::Mode{960, 540, 0, false};
  const auto places = lay_out(side_by_side(), {smaller});
  ASSERT_TRUE(places);
  EXPECT_EQ(place_of(*places, "A").monitors.front().second, "small");
  EXPECT_EQ(place_of(*places, "B").x, 960);
  smaller.mode = msg::Mode{961, 540, 0, false};
  EXPECT_THAT(lay_out(side_by_side(), {smaller}).error().text, HasSubstr("no such mode"));
}

TEST(MutterLayout, SwapsTwoOutputsInOneConfiguration) {
  HeadChange a = change("A");
  a.position = std::pair{1280, 0};
  HeadChange b = change("B");
  b.position = std::pair{0, 0};
  const auto places = lay_out(side_by_side(), {a, b});
  ASSERT_TRUE(places);
  EXPECT_EQ(place_of(*places, "A").x, 1280);
  EXPECT_EQ(place_of(*places, "B").x, 0);
  EXPECT_TRUE(is_acceptable(*places));
}

TEST(MutterLayout, TakesAnOutputOutOfAMirrorAndLeavesTheOther) {
  DisplayState state = side_by_side();
  state.logical_monitors = {logical(0, 0, {"A", "C"}, true), logical(1920, 0, {"B"})};
  HeadChange off = change("C");
  off.enabled = false;
  const auto places = lay_out(state, {off});
  ASSERT_TRUE(places);
  ASSERT_EQ(places->size(), 2U);
  EXPECT_EQ(place_of(*places, "A").monitors.size(), 1U);
  EXPECT_EQ(place_of(*places, "B").x, 1920);
}

TEST(MutterLayout, IsAcceptableOnlyWithoutGapsOverlapsAndOffsets) {
  const auto place = [](std::int32_t x, std::int32_t y) {
    return Place{x, y, 100, 100, 1, msg::Transform::k0, false, {{std::to_string(x), "m"}}};
  };
  EXPECT_TRUE(is_acceptable({place(0, 0), place(100, 50)}));
  EXPECT_FALSE(is_acceptable({place(0, 0), place(101, 0)})) << "a gap";
  EXPECT_FALSE(is_acceptable({place(0, 0), place(100, 100)})) << "only the corners touch";
  EXPECT_FALSE(is_acceptable({place(0, 0), place(99, 0)})) << "they overlap";
  EXPECT_FALSE(is_acceptable({place(1, 0)})) << "it doesn't begin at 0,0";
  EXPECT_FALSE(is_acceptable({}));
}

}  // namespace
}  // namespace compositord::agent::mutter
