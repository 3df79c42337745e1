// What takes back a request that failed half-way, against outputs made of values.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/output/output_undo.h"

namespace compositord::agent {
namespace {

KnownOutput output(const std::string& name, std::uint32_t width, std::int32_t x = 0) {
  KnownOutput known;
  known.output.name = name;
  known.output.x = x;
  known.output.current_mode = msg::Mode{width, 720, 60000, false};
  known.active = true;
  return known;
}

KnownOutput off(const std::string& name) {
  KnownOutput known;
  known.output.name = name;
  return known;
}

bool is_shown(const OutputCommand& wish, const KnownOutput& output) { return shows(wish, output); }

// What is told, as "A mode", when the compositor does nothing of it.
std::vector<std::string> all_told(OutputUndo& undo, const std::vector<KnownOutput>& now) {
  std::vector<std::string> told;
  while (const auto wish = undo.next(now, is_shown)) {
    told.push_back(wish->output + " " +
                   std::string(kOutputMethodNames[static_cast<std::size_t>(wish->method)].substr(7)));
  }
  return told;
}

using Told = std::vector<std::string>;

TEST(OutputUndo, TellsNothingWhenAllIsAsItWas) {
  OutputUndo undo;
  undo.begin({output("A", 1280), off("B")});
  EXPECT_EQ(all_told(undo, {output("A", 1280), off("B")}), Told());
  EXPECT_TRUE(undo.is_complete({output("A", 1280), off("B")}, is_shown));
}

TEST(OutputUndo, GoesBackwardsAndTellsPlacesLastEachOnce) {
  OutputUndo undo;
  undo.begin({output("A", 1280), output("B", 1280, 1280), off("C")});
  const std::vector<KnownOutput> now{output("A", 800, 40), output("B", 640, 900), output("C", 100)};
  EXPECT_EQ(all_told(undo, now), (Told{"C disable", "B mode", "A mode", "B position", "A position"}));
  EXPECT_FALSE(undo.is_complete(now, is_shown));
}

TEST(OutputUndo, LeavesAPlaceAloneThatCameBackByItself) {
  OutputUndo undo;
  undo.begin({output("A", 1280), output("B", 1280, 1280)});
  const auto first = undo.next({output("A", 800), output("B", 1280, 800)}, is_shown);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->output, "A");
  EXPECT_EQ(first->width_px, 1280U);
  EXPECT_EQ(first->refresh_mhz, 60000U);
  EXPECT_FALSE(undo.next({output("A", 1280), output("B", 1280, 1280)}, is_shown));
}

TEST(OutputUndo, TellsTheOppositeOfWhatSeemsNotToHaveBeenDone) {
  OutputCommand failed;
  failed.output = "A";
  failed.method = OutputMethod::kDisable;
  OutputUndo undo;
  undo.begin({output("A", 1280)}, failed);
  EXPECT_EQ(all_told(undo, {output("A", 1280)}), Told{"A enable"});
  failed.method = OutputMethod::kScale;
  undo.begin({output("A", 1280)}, failed);
  EXPECT_EQ(all_told(undo, {output("A", 1280)}), Told{"A scale"});
  failed.method = OutputMethod::kEnable;
  undo.begin({off("A")}, failed);
  EXPECT_EQ(all_told(undo, {off("A")}), Told{"A disable"});
}

TEST(OutputUndo, IsNotCompleteWithoutAnOutputThatIsGone) {
  OutputUndo undo;
  undo.begin({output("A", 1280)});
  EXPECT_EQ(all_told(undo, {}), Told());
  EXPECT_FALSE(undo.is_complete({}, is_shown));
}

}  // namespace
}  // namespace compositord::agent
