// The names of compositors.

#include "common/msg/compositor_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace compositord::msg {
namespace {

using testing::HasSubstr;

TEST(CompositorId, TakesHostAndDisplay) {
  const std::string longest = std::string(64, 'a') + "/" + std::string(64, 'z');
  for (const std::string& text :
       {std::string("wall-3/wayland-1"), std::string("lab/:0"), std::string("a.b_c:d/0"), longest}) {
    const auto id = parse_compositor_id(text);
    ASSERT_TRUE(id) << id.error().text;
    EXPECT_EQ(id->value(), text);
    EXPECT_EQ(service_name(*id), "compositor/" + text);
  }
}

TEST(CompositorId, RefusesAndSaysWhichPartIsWrong) {
  const std::pair<std::string, std::string> wrong[] = {
      {"", "there is no '/'"},
      {"wall", "there is no '/'"},
      {"/wayland-1", "its host is empty"},
      {"wall/", "its display is empty"},
      {"a/b/c", "'/' is not allowed in its display"},
      {"wa ll/0", "' ' is not allowed in its host"},
      {"wall/\n", "'\\x0a' is not allowed in its display"},
      {"w\xc3\xa4nd/0", "is not allowed in its host"},
      {std::string("wall/0\0", 7), "is not allowed in its display"},
      {std::string(65, 'a') + "/0", "its host is longer than 64 characters"},
      {"a/" + std::string(65, 'z'), "its display is longer than 64 characters"},
  };
  for (const auto& [text, why] : wrong) {
    const auto id = parse_compositor_id(text);
    ASSERT_FALSE(id) << text;
    EXPECT_EQ(id.error().status, Status::kMalformed);
    EXPECT_THAT(id.error().text, HasSubstr(why));
  }
}

TEST(CompositorId, AHugeNameIsCutInTheError) {
  EXPECT_LT(parse_compositor_id(std::string(1'000'000, 'x')).error().text.size(), 300U);
}

}  // namespace
}  // namespace compositord::msg
