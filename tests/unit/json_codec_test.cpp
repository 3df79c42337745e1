// JSON: what is read, what is refused and with which place named, and how it is written.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "common/msg/value.h"

namespace compositord::msg {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

void expect_refused(const std::string& text, const std::string& why, Status status = Status::kMalformed) {
  const auto decoded = decode_json(text);
  ASSERT_FALSE(decoded) << "accepted: " << text.substr(0, 80);
  EXPECT_EQ(decoded.error().status, status) << decoded.error().text;
  EXPECT_THAT(decoded.error().text, HasSubstr(why));
}

TEST(JsonCodec, ReadsEveryKindOfValue) {
  const auto decoded =
      decode_json(R"( {"n":null,"t":true,"i":-7,"u":18446744073709551615,"d":0.5,"s":"a\u00e9\n","l":[1,[]],"m":{}} )");
  ASSERT_TRUE(decoded) << decoded.error().text;
  EXPECT_EQ(*decoded, Value::map({{"n", Value()},
                                  {"t", true},
                                  {"i", -7},
                                  {"u", std::numeric_limits<std::uint64_t>::max()},
                                  {"d", 0.5},
                                  {"s", "a\xc3\xa9\n"},
                                  {"l", Value::array({1, Value::array()})},
                                  {"m", Value::map()}}));
}

TEST(JsonCodec, WritesOneLineOrIndented) {
  const Value value = Value::map({{"a", Value::array({1, Value()})}, {"b", Value::map()}, {"c", "\"\n\x01"}});
  EXPECT_EQ(encode_json(value), R"({"a":[1,null],"b":{},"c":"\"\n\u0001"})");
  EXPECT_EQ(encode_json(Value::map({{"a", Value::array({1, 2})}, {"b", Value::map()}}), 2),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

TEST(JsonCodec, WritesBinaryAsBase64) { EXPECT_EQ(encode_json(Value(Binary{"\x00\xff\x10"s})), "\"AP8Q\""); }

TEST(JsonCodec, WritesWhatJsonCannotSayAsTheNextBest) {
  EXPECT_EQ(encode_json(Value(std::numeric_limits<double>::quiet_NaN())), "null");
  EXPECT_EQ(encode_json(Value(std::numeric_limits<double>::infinity())), "null");
  EXPECT_EQ(encode_json(Value("a\xff")), "\"a\xef\xbf\xbd\"");
}

TEST(JsonCodec, NamesLineAndColumnOfAnError) {
  expect_refused("{\n  \"a\": tru\n}", "JSON line 2 column");
  expect_refused("x", "JSON line 1 column 1");
}

TEST(JsonCodec, RefusesNestingBeyondTheLimitAndTakesTheLimit) {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_TRUE(decode_json(nested(DecodeLimits{}.depth_max)));
  expect_refused(nested(DecodeLimits{}.depth_max + 1), "nested deeper than 32", Status::kTooLarge);
  expect_refused(std::string(1'000'000, '['), "nested deeper than 32", Status::kTooLarge);
}

TEST(JsonCodec, RefusesMoreValuesThanTheLimit) {
  EXPECT_TRUE(decode_json("[1,2]", DecodeLimits{4, 3}));
  const auto decoded = decode_json("[1,2,3]", DecodeLimits{4, 3});
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().status, Status::kTooLarge);
}

TEST(JsonCodec, RefusesTextThatIsNotUtf8) {
  expect_refused("\"\xff\"", "JSON line 1");
  expect_refused("{\"\xc0\xaf\":1}", "JSON line 1");
  expect_refused("\"\xed\xa0\x80\"", "JSON line 1");
  expect_refused(R"("\ud800")", "JSON line 1");  // half of a surrogate pair
}

TEST(JsonCodec, RefusesAKeyThatOccursTwice) {
  expect_refused(R"({"a":1,"b":{"a":2},"a":3})", "the key \"a\" occurs twice");
  std::string many = "{";
  for (int i = 0; i < 300; ++i) many += "\"k" + std::to_string(i) + "\":1,";
  expect_refused(many + "\"k299\":2}", "the key \"k299\" occurs twice");
  EXPECT_TRUE(decode_json(many + "\"k300\":2}"));
}

TEST(JsonCodec, NumbersTooLargeForAnIntegerBecomeDoublesAndTooLargeForADoubleAreRefused) {
  EXPECT_EQ(decode_json("18446744073709551616").value(), Value(18446744073709551616.0));
  EXPECT_EQ(decode_json("-9223372036854775809").value(), Value(-9223372036854775809.0));
  EXPECT_TRUE(decode_json("1e308"));
  expect_refused("1e309", "JSON");
  expect_refused("[-1e999]", "JSON");
  expect_refused(std::string(100'000, '9'), "JSON");
}

TEST(JsonCodec, RefusesWhatOnlyLooksLikeJson) {
  for (const char* text : {"", " ", "{'a':1}", "{a:1}", "[1,]", "{\"a\":1,}", "NaN", "Infinity", "01", "+1", "1.", ".5",
                           "[1 2]", "// x\n1", "\"\t\"", "\"", "nul", "tru e"}) {
    expect_refused(text, "JSON");
  }
}

TEST(JsonCodec, RefusesTrailingText) {
  expect_refused("{} {}", "JSON line 1");
  expect_refused("{}x", "JSON line 1");
  expect_refused("1\0"s, "a NUL byte");
  expect_refused("{}\0x"s, "a NUL byte");
  EXPECT_TRUE(decode_json("{}\n"));
}

TEST(JsonCodec, SurvivesTruncationAtEveryByte) {
  const std::string whole = R"({"v":1,"id":"x\u00e9","l":[true,false,null,-0.5e2],"m":{"k":"v"}})";
  ASSERT_TRUE(decode_json(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(decode_json(whole.substr(0, size))) << size;
}

TEST(JsonCodec, SurvivesEveryChangeOfOneByte) {
  const std::string whole = R"({"v":1,"id":"x\u00e9","l":[true,-0.5e2],"m":{"k":"v"}})";
  int taken = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = whole;
      changed[at] = static_cast<char>(byte);
      const auto decoded = decode_json(changed);
      if (!decoded) continue;
      ++taken;
      EXPECT_EQ(decode_json(encode_json(*decoded)).value(), *decoded) << changed;
    }
  }
  EXPECT_GT(taken, 500);
}

}  // namespace
}  // namespace compositord::msg
