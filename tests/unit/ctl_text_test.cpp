// What people read: escaping, tables, ages, durations, suggestions.

#include <gtest/gtest.h>

#include <chrono>

#include "tools/compositorctl/text.h"

namespace compositord::ctl {
namespace {

using namespace std::chrono_literals;

TEST(CtlText, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(safe_text("a\x1b[2Jb\nc"), "a\\x1b[2Jb\\x0ac");
  EXPECT_EQ(safe_text("Grüße"), "Grüße");
  EXPECT_EQ(safe_lines("a\x1b[2J\n  b\n"), "a\\x1b[2J\n    b\n  ");
  EXPECT_EQ(safe_lines(""), "");
}

TEST(CtlText, EscapesDelAndC1InJsonToo) {
  const std::string json = safe_json(msg::Value::map({{"a",
                                                       "x\x1b\x7f\xc2\x9b"
                                                       "y\xc2\xa0"}}));
  EXPECT_EQ(json, "{\"a\":\"x\\u001b\\u007f\\u009by\xc2\xa0\"}");
  const Result<msg::Value> read_back = msg::decode_json(json);
  ASSERT_TRUE(read_back.has_value());
  EXPECT_EQ(*read_back->find("a")->if_string(),
            "x\x1b\x7f\xc2\x9b"
            "y\xc2\xa0");
}

TEST(CtlText, PaintsOnlyWhenAsked) {
  EXPECT_EQ(paint("down", Colour::kRed, false), "down");
  EXPECT_EQ(paint("down", Colour::kRed, true), "\x1b[1;31mdown\x1b[0m");
  EXPECT_EQ(paint("x", Colour::kNone, true), "x");
}

TEST(CtlText, AlignsByCodePointsAndLeavesNoBlanksAtTheEnd) {
  Table table({"ID", "WHAT", "LABELS"});
  table.add({{"ä"}, {"ok", Colour::kGreen}, {"a=b"}});
  table.add({{"long"}, {"x"}, {""}});
  EXPECT_EQ(table.to_text(false),
            "ID    WHAT  LABELS\n"
            "ä     ok    a=b\n"
            "long  x\n");
}

TEST(CtlText, ColoursDoNotShiftColumns) {
  Table table({"A", "B"});
  table.add({{"x", Colour::kRed}, {"y"}});
  EXPECT_EQ(table.to_text(true, "  "),
            "  \x1b[2mA\x1b[0m  \x1b[2mB\x1b[0m\n"
            "  \x1b[1;31mx\x1b[0m  y\n");
}

TEST(CtlText, SaysAgesInTheirUnit) {
  EXPECT_EQ(age_text(-5), "0.0 s");
  EXPECT_EQ(age_text(340), "0.3 s");
  EXPECT_EQ(age_text(9'999), "9.9 s");
  EXPECT_EQ(age_text(119'999), "119 s");
  EXPECT_EQ(age_text(120'000), "2 min");
  EXPECT_EQ(age_text(2 * 3'600'000), "2 h");
  EXPECT_EQ(age_text(std::int64_t{49} * 3'600'000), "2 d");
}

TEST(CtlText, SaysModes) {
  EXPECT_EQ(mode_text({1'280, 720, 60'000, false}), "1280x720@60Hz");
  EXPECT_EQ(mode_text({1'280, 720, 59'951, false}), "1280x720@59.951Hz");
  EXPECT_EQ(mode_text({1'280, 720, 0, false}), "1280x720");
}

TEST(CtlText, ReadsDurations) {
  EXPECT_EQ(parse_duration("500ms"), Duration{500ms});
  EXPECT_EQ(parse_duration("5s"), Duration{5s});
  EXPECT_EQ(parse_duration("1.5s"), Duration{1'500ms});
  EXPECT_EQ(parse_duration("2min"), Duration{2min});
  EXPECT_EQ(parse_duration("1h"), Duration{1h});
  EXPECT_EQ(parse_duration("3"), Duration{3s});
  for (const char* wrong : {"", "s", "-1s", "0s", "5 s", "5x", "1e3s", "nan", "inf", "999999h", "5s5"}) {
    EXPECT_FALSE(parse_duration(wrong).has_value()) << wrong;
  }
}

TEST(CtlText, SuggestsTheNearestFirst) {
  const std::vector<std::string> known{"ls", "show", "watch", "manifest"};
  EXPECT_EQ(nearest("lss", known, 1), std::vector<std::string>{"ls"});
  EXPECT_EQ(nearest("wacth", known, 1), std::vector<std::string>{"watch"});
  EXPECT_TRUE(nearest("frobnicate", known, 3).empty());
  EXPECT_EQ(nearest("wayland-1", {"a/:0", "wall-3/wayland-1"}, 3), std::vector<std::string>{"wall-3/wayland-1"});
}

TEST(CtlText, SuggestsOfAHugeWordWithoutHugeEffort) {
  EXPECT_TRUE(nearest(std::string(10'000'000, 'x'), {"ls"}, 1).empty());
}

}  // namespace
}  // namespace compositord::ctl
