// What differs between two manifests, as paths.
#include "broker/core/value_diff.h"

#include <gtest/gtest.h>

#include <string>

namespace compositord::broker {
namespace {

msg::Value json(const std::string& text) {
  Result<msg::Value> value = msg::decode_json(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : msg::Value();
}

std::string text_of(const ValueDiff& diff) {
  std::string text;
  for (const ValueChange& change : diff.changes) {
    text += change.path + ": " + (change.before ? msg::encode_json(*change.before) : "-") + " -> " +
            (change.after ? msg::encode_json(*change.after) : "-") + "\n";
  }
  return text;
}

std::string differences(const std::string& a, const std::string& b, std::size_t max = 100) {
  return text_of(diff(json(a), json(b), max));
}

TEST(ValueDiff, TheSameInAnyOrderOfKeysIsNoChange) {
  EXPECT_EQ(differences(R"({"a":1,"b":{"c":[1,2]}})", R"({"b":{"c":[1,2]},"a":1})"), "");
}

TEST(ValueDiff, NamesThePathOfEachFieldAndWhatCameOrWent) {
  EXPECT_EQ(differences(R"({"name":"sway","v":{"x":1,"y":2},"gone":true})",
                        R"({"name":"sway","v":{"x":1,"y":3},"new":null})"),
            "gone: true -> -\nnew: - -> null\nv.y: 2 -> 3\n");
}

TEST(ValueDiff, NamedThingsAreComparedByTheirNamesNotTheirPlaces) {
  EXPECT_EQ(differences(R"({"outputs":[{"name":"DP-1","x":0},{"name":"DP-2","x":9}]})",
                        R"({"outputs":[{"name":"HDMI-1","x":5},{"name":"DP-2","x":9},{"name":"DP-1","x":7}]})"),
            "outputs[DP-1].x: 0 -> 7\noutputs[HDMI-1]: - -> {\"name\":\"HDMI-1\",\"x\":5}\n");
}

TEST(ValueDiff, OtherArraysAndNamesThatOccurTwiceAreOneValue) {
  EXPECT_EQ(differences(R"({"a":[1,2]})", R"({"a":[2,1]})"), "a: [1,2] -> [2,1]\n");
  const std::string twice = R"({"i":[{"name":"k"},{"name":"k","x":1}]})";
  EXPECT_EQ(differences(twice, R"({"i":[{"name":"k"}]})"),
            "i: [{\"name\":\"k\"},{\"name\":\"k\",\"x\":1}] -> [{\"name\":\"k\"}]\n");
}

TEST(ValueDiff, AnotherKindIsOneChangeAlsoAtTheRoot) {
  EXPECT_EQ(differences("1", "[1]"), ": 1 -> [1]\n");
  EXPECT_EQ(differences(R"({"a":{}})", R"({"a":[]})"), "a: {} -> []\n");
}

TEST(ValueDiff, IsBoundedAndSaysSo) {
  const ValueDiff found = diff(json(R"({"a":1,"b":1,"c":1})"), json(R"({"a":2,"b":2,"c":2})"), 2);
  EXPECT_EQ(text_of(found), "a: 1 -> 2\nb: 1 -> 2\n");
  EXPECT_TRUE(found.more);
  EXPECT_FALSE(diff(json(R"({"a":1,"b":1})"), json(R"({"a":2,"b":2})"), 2).more);
}

}  // namespace
}  // namespace compositord::broker
