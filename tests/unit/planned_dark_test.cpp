// An output that went dark because a command switched it off, and one that just went dark.
#include "agent/core/planned_dark.h"

#include <gtest/gtest.h>

#include <chrono>

namespace compositord::agent {
namespace {

using std::chrono::seconds;
constexpr auto kOn = msg::OutputState::kOn;
constexpr auto kOff = msg::OutputState::kOff;

msg::Value json(const char* text) { return *msg::decode_json(text); }
Instant at(int second) { return Instant() + seconds(second); }

TEST(PlannedDark, KnowsTheCommandsThatSwitchOff) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(outputs_to_darken("output.disable", json(R"({"output":"DP-1"})")), Names{"DP-1"});
  EXPECT_EQ(outputs_to_darken("output.power", json(R"({"output":"DP-1","on":false})")), Names{"DP-1"});
  EXPECT_EQ(outputs_to_darken("output.power", json(R"({"output":"DP-1","on":true})")), Names{});
  EXPECT_EQ(outputs_to_darken("output.mode", json(R"({"output":"DP-1"})")), Names{});
  EXPECT_EQ(outputs_to_darken(
                "output.configure",
                json(R"({"outputs":[{"output":"A","enabled":false},{"output":"B"},{"output":"C","enabled":true}]})")),
            Names{"A"});
}

TEST(PlannedDark, IsDarkAsPlannedUntilItIsOnAgain) {
  PlannedDark planned;
  planned.expect("DP-1", at(10));
  EXPECT_FALSE(planned.seen("DP-1", kOn, at(1))) << "it takes its time";
  EXPECT_TRUE(planned.seen("DP-1", kOff, at(2)));
  EXPECT_TRUE(planned.seen("DP-1", kOff, at(1'000)));
  EXPECT_FALSE(planned.seen("DP-1", kOn, at(1'001)));
  EXPECT_FALSE(planned.seen("DP-1", kOff, at(1'002))) << "this time nobody wanted it";
}

TEST(PlannedDark, ACommandThatDidNothingExcusesNothingLater) {
  PlannedDark planned;
  planned.expect("DP-1", at(10));
  EXPECT_FALSE(planned.seen("DP-1", kOff, at(11)));
  EXPECT_FALSE(planned.seen("DP-2", kOff, at(1)));
}

}  // namespace
}  // namespace compositord::agent
