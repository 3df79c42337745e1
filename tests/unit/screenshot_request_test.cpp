// What a caller of `screenshot` may say.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/capture/screenshot_request.h"

namespace compositord::agent {
namespace {

using msg::Value;
using ::testing::HasSubstr;

TEST(ScreenshotRequestTest, NothingMeansAllOfIt) {
  const auto request = parse_screenshot_request(Value::map());
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->output);
  EXPECT_FALSE(request->max_width_px);
  EXPECT_FALSE(request->max_height_px);
}

TEST(ScreenshotRequestTest, TakesAnOutputAndBounds) {
  const auto request =
      parse_screenshot_request(Value::map({{"output", "DP-1"}, {"max_width", 320}, {"max_height", 200}}));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->output, "DP-1");
  EXPECT_EQ(request->max_width_px, 320U);
  EXPECT_EQ(request->max_height_px, 200U);
}

TEST(ScreenshotRequestTest, RefusesWhatItCannotMean) {
  const auto complaint = [](const Value& params) {
    const auto request = parse_screenshot_request(params);
    EXPECT_EQ(request ? Status::kDone : request.error().status, Status::kMalformed);
    return request ? std::string() : request.error().text;
  };
  EXPECT_THAT(complaint(Value::map({{"output", "a b"}})), HasSubstr("can't be an output's name"));
  EXPECT_THAT(complaint(Value::map({{"output", ""}})), HasSubstr("can't be an output's name"));
  EXPECT_THAT(complaint(Value::map({{"max_width", 0}})), HasSubstr("max_width: 0 is out of range"));
  EXPECT_THAT(complaint(Value::map({{"max_height", 16'385}})), HasSubstr("max_height"));
  EXPECT_THAT(complaint(Value::map({{"max_width", -1}})), HasSubstr("max_width"));
  EXPECT_THAT(complaint(Value::map({{"width", 10}})), HasSubstr("no such parameter"));
}

}  // namespace
}  // namespace compositord::agent
