// Changes that are taken back unless somebody confirms them: a machine on made-up time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/core/confirmation.h"

namespace compositord::agent {
namespace {

using driver_event::CommandFinished;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

Value mode(int width_px) { return Value::map({{"width_px", width_px}, {"height_px", 600}, {"refresh_mhz", 0}}); }

Value output(int width_px) {
  Value fields = Value::map({{"name", "DP-1"}, {"scale", 1.5}, {"x", 10}, {"y", 20}, {"transform", "90"}});
  fields.set("current_mode", width_px == 0 ? Value() : mode(width_px));
  return fields;
}

class ConfirmationTest : public ::testing::Test {
 protected:
  Value finish(Status status, Value result) {
    CommandFinished finished{1, status, "", std::move(result)};
    confirmation_.finished(finished, now_, out_);
    return finished.result;
  }
  void change_mode() {
    confirmation_.begin(1, "output.mode", seconds(10));
    finish(Status::kDone, Value::map({{"before", output(1280)}, {"after", output(800)}}));
  }
  std::optional<Execute> take_back() { return confirmation_.take_back(2, now_, seconds(5), out_); }
  std::string logged() const { return out_.log.empty() ? "" : std::string(out_.log.back().name); }

  Confirmation confirmation_;
  Outputs out_;
  Instant now_ = Instant::from_ns(1'000'000'000);
};

TEST_F(ConfirmationTest, TakesBackWhatNobodyConfirms) {
  change_mode();
  EXPECT_EQ(confirmation_.next_deadline(), now_ + seconds(10));
  now_ = now_ + seconds(10) - milliseconds(1);
  EXPECT_FALSE(take_back());
  now_ = now_ + milliseconds(1);
  const auto opposite = take_back();
  ASSERT_TRUE(opposite);
  EXPECT_EQ(opposite->method, "output.mode");
  EXPECT_EQ(opposite->params, Value::map({{"output", "DP-1"}, {"width_px", 1280}, {"height_px", 600}}));
  EXPECT_EQ(opposite->deadline, now_ + seconds(5));
  EXPECT_THAT(confirmation_.obstacle(now_), HasSubstr("is being taken back"));
  EXPECT_FALSE(take_back()) << "once";
  CommandFinished done{2, Status::kDone, "", Value::map()};
  confirmation_.finished(done, now_, out_);
  EXPECT_EQ(logged(), "output.taken_back");
  EXPECT_EQ(confirmation_.obstacle(now_), "");
}

TEST_F(ConfirmationTest, SaysWhenWhatWasTakenBackIsNotAsItWas) {
  for (const bool same : {true, false}) {
    change_mode();
    now_ = now_ + seconds(10);
    ASSERT_TRUE(take_back());
    CommandFinished done{2, Status::kDone, "", Value::map({{"after", output(same ? 1280 : 1024)}})};
    confirmation_.finished(done, now_, out_);
    EXPECT_EQ(logged(), same ? "output.taken_back" : "output.not_taken_back");
  }
}

TEST_F(ConfirmationTest, KeepsWhatIsConfirmed) {
  change_mode();
  EXPECT_EQ(confirmation_.obstacle(now_),
            "an output.mode waits for output.confirm, and is taken back in 10.0 s without it");
  EXPECT_EQ(confirmation_.confirm().value(), "output.mode");
  now_ = now_ + seconds(20);
  EXPECT_FALSE(take_back());
  EXPECT_EQ(confirmation_.next_deadline(), kNever);
  EXPECT_EQ(confirmation_.confirm().error().status, Status::kConflict) << "there is nothing more";
}

TEST_F(ConfirmationTest, TellsTheCallerHowLongThereIs) {
  confirmation_.begin(1, "output.mode", seconds(10));
  EXPECT_EQ(confirmation_.confirm().error().status, Status::kConflict) << "it has not happened yet";
  const Value result = finish(Status::kDone, Value::map({{"before", output(1280)}, {"after", output(800)}}));
  EXPECT_EQ(*result.find("confirm_within_ms"), Value(10'000));
}

TEST_F(ConfirmationTest, HasNothingToTakeBackOfWhatChangedNothing) {
  confirmation_.begin(1, "output.mode", seconds(10));
  const Value result = finish(Status::kDone, Value::map({{"before", output(800)}, {"after", output(800)}}));
  EXPECT_EQ(result.find("confirm_within_ms"), nullptr);
  confirmation_.begin(1, "output.mode", seconds(10));
  finish(Status::kNotFound, Value::map());
  EXPECT_EQ(confirmation_.next_deadline(), kNever);
  EXPECT_EQ(confirmation_.obstacle(now_), "");
}

TEST_F(ConfirmationTest, TakesBackAtOnceWhatWentWrongHalfWay) {
  for (const Value& result : {Value::map({{"before", output(1280)}, {"after", output(640)}}),
                              Value::map({{"before", output(1280)}})}) {  // its outcome is unknown
    confirmation_.begin(1, "output.mode", seconds(10));
    finish(Status::kDeadline, result);
    ASSERT_TRUE(take_back());
    CommandFinished failed{2, Status::kFailed, "no such mode", Value::map()};
    confirmation_.finished(failed, now_, out_);
    EXPECT_EQ(logged(), "output.not_taken_back");
  }
}

TEST_F(ConfirmationTest, ForgetsWithTheCompositor) {
  change_mode();
  confirmation_.forget(out_);
  EXPECT_EQ(logged(), "output.not_taken_back");
  now_ = now_ + seconds(20);
  EXPECT_FALSE(take_back());
}

TEST_F(ConfirmationTest, KnowsTheOppositeOfEachCommand) {
  const auto opposite = [](const std::string& method, const Value& before) {
    const OppositeCommand command = opposite_of(method, before);
    return command.method + " " + msg::encode_json(command.params);
  };
  EXPECT_EQ(opposite("output.scale", output(800)), R"(output.scale {"output":"DP-1","scale":1.5})");
  EXPECT_EQ(opposite("output.position", output(800)), R"(output.position {"output":"DP-1","x":10,"y":20})");
  EXPECT_EQ(opposite("output.transform", output(800)), R"(output.transform {"output":"DP-1","transform":"90"})");
  EXPECT_EQ(opposite("output.disable", output(800)), R"(output.enable {"output":"DP-1"})");
  EXPECT_EQ(opposite("output.enable", output(0)), R"(output.disable {"output":"DP-1"})");
  EXPECT_EQ(opposite("output.mode", output(0)), R"(output.disable {"output":"DP-1"})") << "X11: a mode switches it on";
  Value asleep = output(800);
  asleep.set("powered", Value(false));
  EXPECT_EQ(opposite("output.power", asleep), R"(output.power {"output":"DP-1","on":false})");
  EXPECT_EQ(
      opposite("output.configure", Value::array({output(800), output(0)})),
      R"(output.configure {"outputs":[{"output":"DP-1","enabled":true,"width_px":800,"height_px":600,"scale":1.5,)"
      R"("x":10,"y":20,"transform":"90"},{"output":"DP-1","enabled":false}]})");
}

TEST_F(ConfirmationTest, TakesItsParameterOutOfTheOthers) {
  Value params = Value::map({{"output", "DP-1"}, {"confirm_within_ms", 1000}});
  EXPECT_EQ(Confirmation::take_within("output.scale", params).value(), seconds(1));
  EXPECT_EQ(params, Value::map({{"output", "DP-1"}}));
  EXPECT_EQ(Confirmation::take_within("output.scale", params).value(), std::nullopt);
  for (const Value& wrong : {Value(999), Value(600'001), Value("10s"), Value(1.5), Value()}) {
    params.set("confirm_within_ms", wrong);
    EXPECT_EQ(Confirmation::take_within("output.scale", params).error().text,
              "confirm_within_ms: an integer in 1000…600000 expected");
  }
  params.set("confirm_within_ms", Value(1000));
  EXPECT_THAT(Confirmation::take_within("restart", params).error().text,
              HasSubstr("restart changes nothing that could be taken back"));
  EXPECT_FALSE(Confirmation::take_within("output.add", params)) << "no output goes again by command";
}

}  // namespace
}  // namespace compositord::agent
