// The answer to `windows`: bounded, whatever programs call their windows.

#include <gtest/gtest.h>

#include <string>

#include "agent/windows/window_list.h"

namespace compositord::agent {
namespace {

using msg::Value;

TEST(WindowList, TellsAWindowWithItsStatesAndOutputsInOrder) {
  WindowList list;
  list.add({"a.b", "Title", {"fullscreen", "activated"}, {"DP-2", "DP-1"}});
  EXPECT_EQ(msg::encode_json(list.result()),
            R"({"count":1,"windows":[{"app_id":"a.b","title":"Title","states":["activated","fullscreen"],)"
            R"("outputs":["DP-1","DP-2"]}]})");
}

TEST(WindowList, CutsTextsAndMakesThemPrintable) {
  WindowList list;
  list.add({std::string(5000, 'x'), "\x1b[31m\nGrüße", {}, {}});
  const Value result = list.result();
  const Value& window = result.find("windows")->if_array()->front();
  EXPECT_LE(window.find("app_id")->if_string()->size(), 260U);
  EXPECT_EQ(*window.find("title")->if_string(), "\\x1b[31m\\x0aGrüße");
}

TEST(WindowList, CountsMoreThanItDescribes) {
  WindowList list;
  for (int i = 0; i < 300; ++i) list.add({"a", std::to_string(i), {}, {}});
  list.add_uncounted(7);
  EXPECT_EQ(*list.result().find("count"), Value(307));
  EXPECT_EQ(list.result().find("windows")->if_array()->size(), WindowList::kWindowsMax);
}

TEST(WindowList, IsAskedForWithoutParameters) {
  EXPECT_TRUE(parse_windows_request(Value()));
  EXPECT_TRUE(parse_windows_request(Value::map()));
  const auto refused = parse_windows_request(Value::map({{"output", "DP-1"}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "output: windows takes no parameters");
}

}  // namespace
}  // namespace compositord::agent
