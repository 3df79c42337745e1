// MessagePack: what is read, what is refused, and that hostile bytes cost nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "common/msg/msgpack_peek.h"
#include "common/msg/value.h"

namespace compositord::msg {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

void expect_refused(const std::string& bytes, const std::string& why, Status status = Status::kMalformed) {
  const auto decoded = decode_msgpack(bytes);
  ASSERT_FALSE(decoded) << "accepted, not refused: " << why;
  EXPECT_EQ(decoded.error().status, status) << decoded.error().text;
  EXPECT_THAT(decoded.error().text, HasSubstr(why));
}

Value everything() {
  return Value::map({{"nil", Value()},
                     {"yes", true},
                     {"small", -1},
                     {"least", std::numeric_limits<std::int64_t>::min()},
                     {"most", std::numeric_limits<std::uint64_t>::max()},
                     {"half", 0.5},
                     {"text", "Größe \"§\""},
                     {"bytes", Binary{"\x00\xff"s}},
                     {"list", Value::array({1, "two", Value::map({{"three", 3}})})},
                     {"none", Value::map()}});
}

TEST(MsgpackCodec, ReadsBackWhatItWrote) {
  const auto decoded = decode_msgpack(encode_msgpack(everything()));
  ASSERT_TRUE(decoded) << decoded.error().text;
  EXPECT_EQ(*decoded, everything());
  // Bytes are kept too, so the order of keys is.
  EXPECT_EQ(encode_msgpack(*decoded), encode_msgpack(everything()));
}

TEST(MsgpackCodec, ReadsEveryWidthOfANumber) {
  EXPECT_EQ(decode_msgpack("\x07").value(), Value(7));
  EXPECT_EQ(decode_msgpack("\xcc\x07").value(), Value(7));
  EXPECT_EQ(decode_msgpack("\xcd\x00\x07"s).value(), Value(7));
  EXPECT_EQ(decode_msgpack("\xcf\x00\x00\x00\x00\x00\x00\x00\x07"s).value(), Value(7));
  EXPECT_EQ(decode_msgpack("\xd3\xff\xff\xff\xff\xff\xff\xff\xff"s).value(), Value(-1));
  EXPECT_EQ(decode_msgpack("\xca\x3f\x00\x00\x00"s).value(), Value(0.5));
}

TEST(MsgpackCodec, ClaimsOfHugeLengthsAllocateNothing) {
  expect_refused("\xdd\x0f\xff\xff\xff"s, "cut short");        // an array of 2^28 - 1
  expect_refused("\xdd\xff\xff\xff\xff"s, "");                 // … of 2^32 - 1
  expect_refused("\xdf\xff\xff\xff\xff"s, "");                 // a map
  expect_refused("\xdb\xff\xff\xff\xff"s, "cut short");        // a string
  expect_refused("\xc6\xff\xff\xff\xff"s + "a", "cut short");  // bytes
}

TEST(MsgpackCodec, RefusesNestingBeyondTheLimitAndTakesTheLimit) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '\x91') + '\xc0'; };
  EXPECT_TRUE(decode_msgpack(nested(DecodeLimits{}.depth_max)));
  expect_refused(nested(DecodeLimits{}.depth_max + 1), "nested deeper than 32", Status::kTooLarge);
  expect_refused(nested(1'000'000), "nested deeper than 32", Status::kTooLarge);
  expect_refused(std::string(1'000'000, '\x81'), "a map key is not a string");
}

TEST(MsgpackCodec, RefusesMoreValuesThanTheLimitAndTakesTheLimit) {
  const DecodeLimits limits{4, 3};
  EXPECT_TRUE(decode_msgpack("\x92\x01\x02", limits));
  const auto decoded = decode_msgpack("\x93\x01\x02\x03", limits);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().status, Status::kTooLarge);
}

TEST(MsgpackCodec, RefusesExtensionTypes) {
  expect_refused("\xd4\x01\x00"s, "extension types are not used");
  expect_refused("\xc7\x01\x05x"s, "extension types are not used");
  expect_refused("\x81\xd4\x01\x00\x01"s, "extension types are not used");
}

TEST(MsgpackCodec, RefusesTheByteThatMeansNothing) { expect_refused("\xc1", "byte 0"); }

TEST(MsgpackCodec, RefusesTrailingBytes) {
  expect_refused("\x80\x80", "1 bytes follow the value");
  expect_refused(encode_msgpack(everything()) + "\n", "1 bytes follow the value");
}

TEST(MsgpackCodec, RefusesAKeyThatOccursTwice) {
  expect_refused("\x82\xa1"s + "a\x01\xa1" + "a\x02", "the key \"a\" occurs twice");
  // The same in a map of many keys, which is checked in another way.
  std::string many("\xde\x01\x01"s);
  for (int i = 0; i < 256; ++i) many += "\xa3" + std::to_string(100 + i) + "\x01";
  EXPECT_FALSE(decode_msgpack(many));  // one entry is missing
  expect_refused(many + "\xa3" + "300" + "\x01", "the key \"300\" occurs twice");
  EXPECT_TRUE(decode_msgpack(many + "\xa3" + "999" + "\x01"));
}

TEST(MsgpackCodec, RefusesKeysThatAreNoStrings) {
  expect_refused("\x81\x01\x01", "a map key is not a string");
  expect_refused("\x81\xc4\x01x\x01"s, "a map key is not a string");
  expect_refused("\x81\x80\x01", "a map key is not a string");
  expect_refused("\x81\x91\xa1k\x01"s, "a map key is not a string");
  expect_refused("\x81\xc0\x01", "a map key is not a string");
}

TEST(MsgpackCodec, RefusesStringsThatAreNotUtf8) {
  for (const char* bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    const std::string text(bad);
    const std::string head(1, static_cast<char>(0xa0 + text.size()));
    expect_refused(head + text, "not UTF-8");
    expect_refused("\x81" + head + text + "\x01", "not UTF-8");
  }
  EXPECT_TRUE(decode_msgpack("\xa4\xf0\x9f\x98\x80"));
}

TEST(MsgpackCodec, WritesTheReplacementCharacterForWhatIsNotUtf8) {
  EXPECT_EQ(decode_msgpack(encode_msgpack(Value("a\xff"
                                                "b")))
                .value(),
            Value("a\xef\xbf\xbd"
                  "b"));
}

TEST(MsgpackCodec, SurvivesTruncationAtEveryByte) {
  const std::string whole = encode_msgpack(everything());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto decoded = decode_msgpack(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(decoded) << size;
    EXPECT_EQ(decoded.error().status, Status::kMalformed) << size;
  }
}

TEST(MsgpackCodec, SurvivesEveryChangeOfOneByte) {
  const std::string whole = encode_msgpack(everything());
  int taken = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = whole;
      changed[at] = static_cast<char>(byte);
      const auto decoded = decode_msgpack(changed);
      if (!decoded) continue;
      ++taken;
      const std::string again = encode_msgpack(*decoded);
      EXPECT_EQ(encode_msgpack(decode_msgpack(again).value()), again);
    }
  }
  EXPECT_GT(taken, 1'000);
}

TEST(MsgpackCodec, CanonicalBytesDoNotDependOnTheOrderOfKeys) {
  const Value a = Value::map({{"b", 1}, {"a", Value::map({{"y", 2}, {"x", 3}})}});
  const Value b = Value::map({{"a", Value::map({{"x", 3}, {"y", 2}})}, {"b", 1}});
  EXPECT_NE(encode_msgpack(a), encode_msgpack(b));
  EXPECT_EQ(encode_canonical(a), encode_canonical(b));
  EXPECT_EQ(a, b);
}

TEST(MsgpackPeek, FindsATextBehindWhateverStandsBeforeIt) {
  Value::Array many(300, Value(1));
  Value::Map wide;
  for (int i = 0; i < 20; ++i) wide.emplace_back("k" + std::to_string(i), Value(1.5));
  const Value value =
      Value::map({{"a", Value::array({1, -1, 200, -200, 70'000, -70'000, 5'000'000'000, -5'000'000'000})},
                  {"b", Binary{std::string(70'000, 'x')}},
                  {"c", Value(std::move(many))},
                  {"d", Value(std::move(wide))},
                  {"e", std::string(300, 'y')},
                  {"f", nullptr},
                  {"g", true},
                  {"inner", Value::map({{"name", "not this one"}})},
                  {"name", "sway"},
                  {"number", 7},
                  {"version", std::string(40, 'v')}});
  const std::string bytes = encode_msgpack(value);
  EXPECT_EQ(peek_text(bytes, "name"), "sway");
  EXPECT_EQ(peek_text(bytes, "version"), std::string(40, 'v'));
  EXPECT_EQ(peek_text(bytes, "number"), std::nullopt);
  EXPECT_EQ(peek_text(bytes, "none"), std::nullopt);
  for (std::size_t cut = 0; cut < bytes.size(); cut += cut < 100 ? 1 : 997) {
    EXPECT_EQ(peek_text(std::string_view(bytes).substr(0, cut), "version"), std::nullopt) << cut;
  }
  EXPECT_EQ(peek_text(std::string("\x81\xa4name\xdb\xff\xff\xff\xff", 11), "name"), std::nullopt);
  EXPECT_EQ(peek_text("\xdf\xff\xff\xff\xff", "name"), std::nullopt);
  EXPECT_EQ(peek_text("\xc1", "name"), std::nullopt);
}

}  // namespace
}  // namespace compositord::msg
