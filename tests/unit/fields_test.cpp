// Message structs <-> Values: what is required, what may be missing, and the words of the errors.

#include "common/msg/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/msg/manifest.h"
#include "common/msg/registration.h"
#include "common/msg/status.h"

namespace compositord::msg {
namespace {

template <class T>
std::string error_of(const Value& value) {
  const Result<T> result = from_value<T>(value);
  return result ? "accepted" : result.error().text;
}

Value mode(const Value& width) { return Value::map({{"width_px", width}, {"height_px", 1}, {"refresh_mhz", 0}}); }

TEST(Fields, OptionalOnesKeepTheirDefaultWhenMissingOrNull) {
  const auto output = from_value<Output>(Value::map({{"name", "DP-1"}, {"scale", Value()}, {"current_mode", Value()}}));
  ASSERT_TRUE(output) << output.error().text;
  EXPECT_EQ(output->scale, 1.0);
  EXPECT_FALSE(output->current_mode.has_value());
}

TEST(Fields, RequiredOnesAreMissedByName) {
  EXPECT_EQ(error_of<Output>(Value::map()), "name: missing");
  EXPECT_EQ(error_of<Output>(Value::map({{"name", Value()}})), "name: missing");
}

TEST(Fields, ErrorsNameThePathAndBothKinds) {
  const Value outputs = Value::array({Value::map({{"name", "a"}}), Value::map({{"name", "b"}, {"scale", "big"}})});
  Value manifest = to_value(Manifest{});
  manifest.set("outputs", outputs);
  EXPECT_EQ(error_of<Manifest>(manifest), "outputs[1].scale: a number expected, got string");
  EXPECT_EQ(error_of<Manifest>(Value(7)), "message: a map expected, got integer");
  EXPECT_EQ(error_of<Registration>(Value::map({{"id", "a/b"}, {"labels", Value::map({{"site", 7}})}})),
            "labels.site: a string expected, got integer");
}

TEST(Fields, IntegersMustFitTheirField) {
  EXPECT_EQ(from_value<Mode>(mode(4'294'967'295U)).value().width_px, 4'294'967'295U);
  EXPECT_EQ(error_of<Mode>(mode(std::int64_t{4'294'967'296})), "width_px: 4294967296 is out of range 0…4294967295");
  EXPECT_EQ(error_of<Mode>(mode(-1)), "width_px: -1 is out of range 0…4294967295");
  EXPECT_EQ(error_of<Mode>(mode(std::numeric_limits<std::uint64_t>::max())),
            "width_px: 18446744073709551615 is too large");
  EXPECT_EQ(error_of<Mode>(mode(1.0)), "width_px: an integer expected, got number");
  EXPECT_EQ(error_of<Mode>(mode(true)), "width_px: an integer expected, got boolean");
}

TEST(Fields, NumbersMustBeFinite) {
  const auto scaled = [](const Value& scale) { return Value::map({{"name", "a"}, {"scale", scale}}); };
  EXPECT_EQ(from_value<Output>(scaled(2)).value().scale, 2.0);
  EXPECT_EQ(error_of<Output>(scaled(std::numeric_limits<double>::infinity())), "scale: a finite number expected");
  EXPECT_EQ(error_of<Output>(scaled(std::numeric_limits<double>::quiet_NaN())), "scale: a finite number expected");
}

TEST(Fields, EnumsAreNamesAndTheErrorListsThem) {
  EXPECT_EQ(enum_from_name<Link>("suspect"), Link::kSuspect);
  EXPECT_EQ(name_of(Progress::kFrozen), "frozen");
  Value fact = to_value(LinkFact{});
  fact.set("state", "gone");
  EXPECT_EQ(error_of<LinkFact>(fact), "state: \"gone\" is none of connected, suspect, lost, left");
  fact.set("state", 1);
  EXPECT_EQ(error_of<LinkFact>(fact), "state: a string expected, got integer");
}

TEST(Fields, UnknownKeysAreIgnored) {
  Value value = mode(1);
  value.set("colour_depth", 30);
  EXPECT_TRUE(from_value<Mode>(value));
}

TEST(Fields, AStdOptionalIsLeftOutWhenEmpty) {
  const Value value = to_value(ProcessFact{});
  EXPECT_EQ(value.find("code"), nullptr);
  EXPECT_NE(value.find("state"), nullptr);
}

}  // namespace
}  // namespace compositord::msg
